"""Adam (Kingma and Ba, ICLR 2015, Algorithm 1), with epsilon in either of two places."""

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.keras_versions import Factors, SharedFactorsAdam

# Of tf.raw_ops.ResourceApplyAdam, the same for all variables.
_FACTORS = ("beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon")


@keras.utils.register_keras_serializable(package="robgan_tf")
class Adam(SharedFactorsAdam):
    """Keras's Adam, each variable's update one fused operation of TensorFlow.

    That shortens the compilation of a training step. Numbers are those of Keras's within rounding:
    the operation subtracts a beta from 1 in the type of the variables, so that in float32 the
    weight 1 - 0.999 is 1.3e-5 of it larger. Variables are the same, so that a checkpoint fits both.

    Args are those of `keras.optimizers.Adam`, but `amsgrad` and `use_ema`.
    """

    @override
    def factors(self, learning_rate: tf.Tensor) -> Factors:
        kind = self._momentums[0].dtype
        update = tf.cast(self.iterations + 1, kind)
        betas = [tf.constant(beta, kind) for beta in (self.beta_1, self.beta_2)]
        powers = [beta**update for beta in betas]
        return (*powers, tf.cast(learning_rate, kind), *betas, self._added(powers[1]))

    @override
    def update(self, variable: tf.Variable, gradient: tf.Tensor, *factors: tf.Tensor) -> None:
        mean, square = self.moments(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.handle,
            v=square.handle,
            **dict(zip(_FACTORS, factors, strict=True)),
            grad=tf.cast(gradient, mean.dtype),
            use_locking=False,
        )

    def _added(self, power_2: tf.Tensor) -> tf.Tensor:
        """What is added to the root of the second moment, which is not bias-corrected."""
        return tf.constant(self.epsilon, power_2.dtype)


@keras.utils.register_keras_serializable(package="robgan_tf")
class CorrectedAdam(Adam):
    """Adam whose epsilon is added to the root of the bias-corrected second moment, as PyTorch's.

    An update subtracts rate m^ / (sqrt(v^) + epsilon), with m^ = m / (1 - beta_1^t) and
    v^ = v / (1 - beta_2^t). Keras adds epsilon to the uncorrected sqrt(v), which is as if it were
    epsilon / sqrt(1 - beta_2^t): 3.2 times as large in the first update where beta_2 is 0.9, and
    equal in the long run.

    Args are those of `keras.optimizers.Adam`, but `amsgrad` and `use_ema`.
    """

    @override
    def _added(self, power_2: tf.Tensor) -> tf.Tensor:
        return super()._added(power_2) * tf.sqrt(1 - power_2)
