"""The largest absolute change of any pixel value."""

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.ball import IMAGE_MAXIMUM, IMAGE_MINIMUM, flat
from robgan_tf.attacks.norm import Norm


class LInfinity(Norm):
    """The largest absolute change of any pixel value."""

    largest_epsilon = IMAGE_MAXIMUM - IMAGE_MINIMUM

    @override
    def norm(self, perturbation: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(tf.abs(flat(perturbation)), axis=1)

    @override
    def ascent(self, gradient: tf.Tensor) -> tf.Tensor:
        """Returns the unit step of steepest ascent: the sign of the gradient."""
        return tf.sign(gradient)

    @override
    def project(self, perturbation: tf.Tensor, epsilon: float | tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(perturbation, -epsilon, epsilon)

    @override
    def random(
        self, shape: tf.Tensor, epsilon: float | tf.Tensor, seed: tf.Tensor, dtype: tf.DType
    ) -> tf.Tensor:
        return epsilon * tf.random.stateless_uniform(shape, seed, -1.0, 1.0, dtype)

    @override
    def distance(self, change: np.ndarray) -> np.ndarray:
        return np.abs(change).max(axis=1)

    @override
    def grey_radius(self, values: int) -> float:
        del values
        return IMAGE_MAXIMUM

    @override
    def share_at_edge(
        self,
        images: tf.Tensor,
        attacked: tf.Tensor,
        epsilon: float | tf.Tensor,
        tolerance: float = 1e-3,
    ) -> tf.Tensor:
        """Share of pixel values that an attack moved to the edge of its ball.

        Args:
          images: [N, ...] originals.
          attacked: [N, ...] adversarial images.
          epsilon: radius on [-1, 1].
          tolerance: how close to the edge counts, relative to epsilon.

        Returns:
          A scalar in [0, 1]. Pixels stopped earlier by the range [-1, 1] do not count.
        """
        change = tf.abs(attacked - images)
        moved = (change >= epsilon * (1.0 - tolerance)) & (change > 0.0)
        return tf.reduce_mean(tf.cast(moved, tf.float32))


CHOICE = LInfinity()
