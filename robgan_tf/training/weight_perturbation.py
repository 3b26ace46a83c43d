"""Adversarial weight perturbation (Wu, Xia and Wang, NeurIPS 2020).

    min over w of max over v of loss(w + v),  ||v_l|| <= gamma ||w_l|| for each layer l

An update perturbs the weights by one step of steepest ascent of its own loss, takes its gradient
there and applies it to the weights as they were. Here no variable is ever assigned a perturbed
value: the network is run at other values, so that nothing has to be restored.
"""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from robgan_tf.keras_versions import Variable, at_values
from robgan_tf.layers import hold_normalized_kernels


def perturbed_weights(
    variables: Sequence[Variable], gradients: Sequence[tf.Tensor], gamma: float
) -> list[tf.Tensor]:
    """Moves every kernel along its gradient by gamma times its own length.

    Kernels are variables of two or more axes, as in the authors' code: biases, and gains and
    shifts of normalizations, stay where they are. With spectral normalization it is the stored
    kernel that moves; where its gradient is 0 it stays.

    Args:
      variables: of the network.
      gradients: of this replica's part of the loss, which are added up over replicas, so that all
        of them make the same move.
      gamma: relative radius.

    Returns:
      A tensor for each variable: w + gamma ||w|| g / ||g||, or its value.
    """
    replica = tf.distribute.get_replica_context()
    whole = replica.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients))
    return [
        _moved(tf.convert_to_tensor(variable), gradient, gamma)
        for variable, gradient in zip(variables, whole, strict=True)
    ]


@contextlib.contextmanager
def at_weights(
    model: keras.Model, variables: Sequence[Variable], values: Sequence[tf.Tensor]
) -> Iterator[None]:
    """Within the block, calls of a model see other values of its variables; none is changed.

    Kernels under spectral normalization are divided by the largest singular value that they have
    at these values, by the vectors u of the variables, which do not move. Moving averages of batch
    normalization move as in any call, once the block ends.

    Args:
      model: a built model.
      variables: some of its variables.
      values: a tensor for each, of its shape.
    """
    with at_values(model, variables, values), hold_normalized_kernels(model):
        yield


def _moved(value: tf.Tensor, gradient: tf.Tensor, gamma: float) -> tf.Tensor:
    if len(value.shape) < 2:
        return value
    return value + gamma * gradient * tf.math.divide_no_nan(tf.norm(value), tf.norm(gradient))
