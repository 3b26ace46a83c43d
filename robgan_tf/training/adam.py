"""Adam (Kingma and Ba, ICLR 2015, Algorithm 1), with epsilon in either of two places."""

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.keras_versions import Factors, SharedFactorsAdam


@keras.utils.register_keras_serializable(package="robgan_tf")
class Adam(SharedFactorsAdam):
    """Keras's Adam to the bit, in half as many operations.

    What is the same for all variables is computed once an update, which shortens the compilation
    of a training step. Variables are those of Keras's, so that a checkpoint fits both.

    Args are those of `keras.optimizers.Adam`, but `amsgrad`.
    """

    @override
    def factors(self, learning_rate: tf.Tensor) -> Factors:
        rate, of_mean, of_square = self._corrections(learning_rate)
        return (rate * tf.sqrt(of_square) / of_mean,)

    def _corrections(self, learning_rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The rate, 1 - beta_1^t and 1 - beta_2^t of update t."""
        kind = self._momentums[0].dtype
        update = tf.cast(self.iterations + 1, kind)
        of_mean, of_square = (
            1 - tf.constant(beta, kind) ** update for beta in (self.beta_1, self.beta_2)
        )
        return tf.cast(learning_rate, kind), of_mean, of_square

    @override
    def update(self, variable: tf.Variable, gradient: tf.Tensor, *factors: tf.Tensor) -> None:
        mean, square = self.moments(variable)
        gradient = tf.cast(gradient, mean.dtype)
        mean.assign_add((gradient - mean) * (1 - self.beta_1))
        square.assign_add((tf.square(gradient) - square) * (1 - self.beta_2))
        variable.assign_sub(self._change(mean, square, factors))

    def _change(self, mean: tf.Tensor, square: tf.Tensor, factors: Factors) -> tf.Tensor:
        (alpha,) = factors
        return (mean * alpha) / (tf.sqrt(square) + self.epsilon)


@keras.utils.register_keras_serializable(package="robgan_tf")
class CorrectedAdam(Adam):
    """Adam whose epsilon is added to the root of the bias-corrected second moment, as PyTorch's.

    An update subtracts rate m^ / (sqrt(v^) + epsilon), with m^ = m / (1 - beta_1^t) and
    v^ = v / (1 - beta_2^t). Keras adds epsilon to the uncorrected sqrt(v), which is as if it were
    epsilon / sqrt(1 - beta_2^t): 3.2 times as large in the first update where beta_2 is 0.9, and
    equal in the long run.

    Args are those of `keras.optimizers.Adam`, but `amsgrad`.
    """

    @override
    def factors(self, learning_rate: tf.Tensor) -> Factors:
        return self._corrections(learning_rate)

    @override
    def _change(self, mean: tf.Tensor, square: tf.Tensor, factors: Factors) -> tf.Tensor:
        rate, of_mean, of_square = factors
        return rate * (mean / of_mean) / (tf.sqrt(square / of_square) + self.epsilon)
