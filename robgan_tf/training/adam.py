"""Adam with epsilon where its paper has it (Kingma and Ba, ICLR 2015, Algorithm 1)."""

import keras
import tensorflow as tf
from typing_extensions import override


@keras.utils.register_keras_serializable(package="robgan_tf")
class CorrectedAdam(keras.optimizers.Adam):
    """Adam whose epsilon is added to the root of the bias-corrected second moment, as PyTorch's.

    An update subtracts rate m^ / (sqrt(v^) + epsilon), with m^ = m / (1 - beta_1^t) and
    v^ = v / (1 - beta_2^t). Keras adds epsilon to the uncorrected sqrt(v), which is as if it were
    epsilon / sqrt(1 - beta_2^t): 3.2 times as large in the first update where beta_2 is 0.9, and
    equal in the long run. Variables are those of Keras's, so that a checkpoint fits both.

    Args are those of `keras.optimizers.Adam`, but `amsgrad`.
    """

    @override
    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        kind = variable.dtype
        gradient, rate = tf.cast(gradient, kind), tf.cast(learning_rate, kind)
        update = tf.cast(self.iterations + 1, kind)
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        self.assign_add(mean, (gradient - mean) * (1 - self.beta_1))
        self.assign_add(square, (tf.square(gradient) - square) * (1 - self.beta_2))
        corrected_mean = mean / (1 - tf.constant(self.beta_1, kind) ** update)
        corrected_square = square / (1 - tf.constant(self.beta_2, kind) ** update)
        root = tf.sqrt(corrected_square)
        self.assign_sub(variable, rate * corrected_mean / (root + self.epsilon))
