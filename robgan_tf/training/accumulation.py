"""Gradient accumulation: one update from the gradients of several micro-batches.

A batch of N images is worked through as k consecutive runs of N / k, one after the other, whose
gradients are added up before the optimizer sees them: memory is that of N / k images, and the
update is that of N. Losses are sums over samples divided by the size of the whole batch, so that
sums of gradients need no weights.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from robgan_tf.keras_versions import Variable
from robgan_tf.training.replicated import Names


class GradientSums:
    """Sums of gradients, of each replica its own: they are added up over replicas when applied.

    They are 0 between updates and in no checkpoint.

    Args:
      variables: what the gradients are of.
      strategy: the run's strategy.
    """

    def __init__(self, variables: Sequence[Variable], strategy: tf.distribute.Strategy) -> None:
        with strategy.scope():
            self._sums = [
                tf.Variable(
                    tf.zeros(variable.shape, variable.dtype),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.SUM,
                )
                for variable in variables
            ]

    def clear(self) -> None:
        """Sets this replica's sums to 0."""
        for total in self._sums:
            total.assign(tf.zeros(total.shape, total.dtype))

    def add(self, gradients: Sequence[tf.Tensor]) -> None:
        """Adds a micro-batch's gradients to this replica's sums."""
        for total, gradient in zip(self._sums, gradients, strict=True):
            total.assign_add(gradient)

    def values(self) -> list[tf.Tensor]:
        """This replica's sums."""
        # A copy is on the replica's device, which reductions ask for; a variable's value says none.
        return [tf.identity(total) for total in self._sums]


def in_loop(
    count: int, part: Callable[[tf.Tensor], tuple[Names, tf.Tensor, tf.Tensor]], dtype: tf.DType
) -> tuple[Names, tf.Tensor, tf.Tensor]:
    """Makes parts of a step one after the other: one part's graph and memory at a time.

    Args:
      count: how many.
      part: function of the number of a part, a scalar int32 tensor, that returns what
        `run_on_replicas` does.
      dtype: of the metrics.

    Returns:
      The Names of one part, metrics [count, metrics] and int32 [count, checks, replicas].
    """
    traced: list[Names] = []

    def one(
        number: tf.Tensor, metrics: tf.TensorArray, non_finite: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
        names, *values = part(number)
        traced[:] = [names]
        return number + 1, metrics.write(number, values[0]), non_finite.write(number, values[1])

    _, metrics, non_finite = tf.while_loop(
        lambda number, *_: number < count,
        one,
        (0, tf.TensorArray(dtype, count), tf.TensorArray(tf.int32, count)),
        parallel_iterations=1,
        maximum_iterations=count,
    )
    return traced[0], metrics.stack(), non_finite.stack()


def accumulated(
    count: int, part: Callable[[tf.Tensor], tuple[Names, tf.Tensor, tf.Tensor]], dtype: tf.DType
) -> tuple[Names, tf.Tensor, tf.Tensor]:
    """Makes the micro-batches of an update, which are equally large.

    Args are those of `in_loop`.

    Returns:
      As `run_on_replicas` returns it, of the whole batch: means of metrics, and 1 where a check
      is not finite in any micro-batch.
    """
    names, metrics, non_finite = in_loop(count, part, dtype)
    return names, tf.reduce_mean(metrics, axis=0), tf.reduce_max(non_finite, axis=0)
