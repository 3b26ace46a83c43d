"""Batch normalization and its class-conditional form, synchronized over replicas.

Statistics and the normalization itself are computed in the type of the variables, float32;
activations come and go in theirs, bfloat16 or not. Where one replica holds the whole batch,
TensorFlow's fused operation computes both in one pass less; it knows neither float64 nor replicas,
and the class-conditional form then has first derivatives only (asking for more is an error).

Three modes, which Keras's own layer does not separate: batch statistics that move the averages
(G's own update), batch statistics that do not (G making fakes for D), and moving averages
(inference, attacks).
"""

from typing import Any

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.keras_versions import Variable, variable_dtype
from robgan_tf.layers.class_labels import one_hot_labels
from robgan_tf.typing import Shape


class _BatchStatistics(keras.layers.Layer):
    """The part both layers share: mean, variance and their moving averages."""

    def __init__(
        self, momentum: float = 0.9, epsilon: float = 2e-5, unbiased: bool = False, **kwargs: Any
    ) -> None:
        # Under a mixed policy a call that is within no other layer's would read half precision.
        dtype = variable_dtype(kwargs.pop("dtype", None))
        super().__init__(autocast=False, dtype=dtype, **kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.unbiased = unbiased

    def build(self, input_shape: Shape) -> None:
        shape = (input_shape[-1],)
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=shape, initializer="zeros", trainable=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=shape, initializer="ones", trainable=False
        )
        self.built = True

    def get_config(self) -> dict[str, Any]:
        names = ("momentum", "epsilon", "unbiased")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _normalize(
        self,
        inputs: tf.Tensor,
        gamma: tf.Tensor,
        beta: tf.Tensor,
        training: bool,
        update_statistics: bool,
    ) -> tf.Tensor:
        """Returns (inputs - mean) / sqrt(variance + epsilon) * gamma + beta.

        gamma and beta are [C], or [N, 1, 1, C] where each sample has its own.
        """
        if training and self.dtype == "float32" and _one_fused_operation_does(inputs):
            return self._normalize_fused(inputs, gamma, beta, update_statistics)
        values = tf.cast(inputs, self.dtype)
        if training:
            mean, variance = _global_moments(values)
            kept = variance * _unbiasing(values) if self.unbiased else variance
            self._move_averages(mean, kept, update_statistics)
        else:
            mean = tf.convert_to_tensor(self.moving_mean)
            variance = tf.convert_to_tensor(self.moving_variance)
        scale = gamma * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast(values * scale + (beta - mean * scale), inputs.dtype)

    def _normalize_fused(
        self, inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, update_statistics: bool
    ) -> tf.Tensor:
        if len(gamma.shape) == 1:
            outputs, mean, variance = self._fused_operation(inputs, gamma, beta)
        else:
            # Recomputed in the backward pass: kept, the normalized activations of all layers are
            # a tenth of the memory that a G update at the published width takes.
            outputs, mean, variance = tf.recompute_grad(self._scaled_by_sample)(inputs, gamma, beta)
        # The operation reports the unbiased variance and normalizes by the biased one.
        if not self.unbiased:
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], self.dtype)
            variance = variance * ((count - 1.0) / count)
        self._move_averages(mean, variance, update_statistics)
        return outputs

    def _scaled_by_sample(
        self, inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        channels = inputs.shape[-1:]
        outputs, mean, variance = self._fused_operation(
            inputs, tf.ones(channels), tf.zeros(channels)
        )
        return tf.cast(tf.cast(outputs, self.dtype) * gamma + beta, inputs.dtype), mean, variance

    def _fused_operation(
        self, inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=gamma,
            offset=beta,
            mean=tf.zeros_like(gamma),
            variance=tf.zeros_like(gamma),
            epsilon=self.epsilon,
            is_training=True,
        )[:3]

    def _move_averages(self, mean: tf.Tensor, variance: tf.Tensor, update_statistics: bool) -> None:
        if update_statistics:
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)

    def _move(self, average: Variable, value: tf.Tensor) -> None:
        average.assign(average * self.momentum + value * (1.0 - self.momentum))


@keras.utils.register_keras_serializable(package="robgan_tf")
class BatchNormalization(_BatchStatistics):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, one gamma and beta per channel.

    Args:
      momentum: share of the old moving average that an update keeps.
      epsilon: added to the variance.
      unbiased: whether the moving variance is that of the batch times n / (n - 1), as PyTorch and
        Chainer keep it; n values of each channel make the batch.
    """

    @override
    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")

    def call(
        self, inputs: tf.Tensor, training: bool = False, update_statistics: bool = True
    ) -> tf.Tensor:
        """Normalizes a batch.

        Args:
          inputs: [N, ..., C] activations; the same N on every replica.
          training: use the statistics of the global batch, otherwise the moving averages.
          update_statistics: with `training`, whether the moving averages move.

        Returns:
          Normalized activations of the same shape.
        """
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        return self._normalize(inputs, gamma, beta, training, update_statistics)


@keras.utils.register_keras_serializable(package="robgan_tf")
class ClassConditionalBatchNormalization(_BatchStatistics):
    """Batch normalization with one gamma and one beta per class and channel.

    gamma starts at 1 and beta at 0 (Dumoulin et al., 2017; paper section 4, SN-GAN's generator).

    Args:
      num_classes: rows of gamma and beta.
      momentum: share of the old moving average that an update keeps.
      epsilon: added to the variance.
      unbiased: as in `BatchNormalization`.
    """

    def __init__(
        self,
        num_classes: int,
        momentum: float = 0.9,
        epsilon: float = 2e-5,
        unbiased: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, unbiased=unbiased, **kwargs)
        self.num_classes = num_classes

    @override
    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        shape = (self.num_classes, input_shape[-1])
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")

    def call(
        self,
        inputs: tf.Tensor,
        labels: tf.Tensor,
        training: bool = False,
        update_statistics: bool = True,
    ) -> tf.Tensor:
        """Normalizes a batch and scales each sample by its class's gamma and beta.

        Args:
          inputs: [N, H, W, C] activations; the same N on every replica.
          labels: [N] integers in [0, num_classes), or [N, num_classes] floats: weights by which
            a sample mixes the gammas and betas of the classes, each row adding up to 1.
          training: use the statistics of the global batch, otherwise the moving averages.
          update_statistics: with `training`, whether the moving averages move.

        Returns:
          Activations of the same shape.

        Raises:
          ValueError: if there are floats of another shape, or integers that are no classes.
        """
        weights = self._class_weights(tf.convert_to_tensor(labels), training)
        gamma, beta = (
            tf.reshape(tf.matmul(weights, tf.convert_to_tensor(table)), [-1, 1, 1, table.shape[1]])
            for table in (self.gamma, self.beta)
        )
        return self._normalize(inputs, gamma, beta, training, update_statistics)

    def _class_weights(self, labels: tf.Tensor, training: bool) -> tf.Tensor:
        if not labels.dtype.is_floating:
            # A product with one-hot labels has a dense gradient, which replicas can add up.
            return one_hot_labels(labels, self.num_classes, self.dtype, training)
        if labels.shape.rank != 2 or labels.shape[1] != self.num_classes:
            raise ValueError(
                f"labels that are floats must be weights [N, {self.num_classes}], not of shape "
                f"{labels.shape}"
            )
        return tf.cast(labels, self.dtype)

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}


def _one_fused_operation_does(inputs: tf.Tensor) -> bool:
    if inputs.dtype not in (tf.float32, tf.bfloat16) or len(inputs.shape) != 4:
        return False
    replica = tf.distribute.get_replica_context()
    return replica is None or replica.num_replicas_in_sync == 1


def _unbiasing(inputs: tf.Tensor) -> tf.Tensor:
    """The scalar n / (n - 1), for n values of each channel in the batch of all replicas."""
    replica = tf.distribute.get_replica_context()
    replicas = 1 if replica is None else replica.num_replicas_in_sync
    count = tf.cast(replicas * (tf.size(inputs) // inputs.shape[-1]), inputs.dtype)
    return count / (count - 1.0)


def _global_moments(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance per channel over the batch of all replicas, [C] each."""
    mean, variance = tf.nn.moments(inputs, axes=list(range(len(inputs.shape) - 1)))
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return mean, variance
    average = tf.distribute.ReduceOp.MEAN
    global_mean = replica.all_reduce(average, mean)
    # Around the global mean, so that nothing cancels where the mean is large.
    spread = variance + tf.square(mean - global_mean)
    return global_mean, replica.all_reduce(average, spread)
