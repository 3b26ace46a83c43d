"""The Euclidean length of the change of an image."""

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.ball import flat, of_largest_one, per_sample
from robgan_tf.attacks.norm import Norm

_SMALLEST_NORM = 1e-12


class L2(Norm):
    """The Euclidean length of the change of an image."""

    @override
    def norm(self, perturbation: tf.Tensor) -> tf.Tensor:
        # Sums of many float32 squares are off by more than the verifier allows a ball's edge.
        squares = tf.square(tf.cast(flat(perturbation), tf.float64))
        return tf.cast(tf.sqrt(tf.reduce_sum(squares, axis=1)), perturbation.dtype)

    @override
    def ascent(self, gradient: tf.Tensor) -> tf.Tensor:
        """Returns the gradient scaled to length 1 per sample (zero where it is zero)."""
        direction = of_largest_one(gradient)
        length = tf.maximum(self.norm(direction), _SMALLEST_NORM)
        return direction / per_sample(length, direction)

    @override
    def project(self, perturbation: tf.Tensor, epsilon: float | tf.Tensor) -> tf.Tensor:
        length = tf.maximum(self.norm(perturbation), _SMALLEST_NORM)
        return perturbation * per_sample(tf.minimum(epsilon / length, 1.0), perturbation)

    @override
    def random(
        self, shape: tf.Tensor, epsilon: float | tf.Tensor, seed: tf.Tensor, dtype: tf.DType
    ) -> tf.Tensor:
        direction_seed, radius_seed = tf.unstack(tf.random.split(seed))
        direction = tf.random.stateless_normal(shape, direction_seed, dtype=dtype)
        dimensions = tf.cast(tf.reduce_prod(shape), dtype)
        radius = tf.random.stateless_uniform([], radius_seed, dtype=dtype) ** (1.0 / dimensions)
        return epsilon * radius * direction / tf.norm(direction)

    @override
    def distance(self, change: np.ndarray) -> np.ndarray:
        return np.linalg.norm(change, axis=1)

    @override
    def grey_radius(self, values: int) -> float:
        return float(np.sqrt(values))


CHOICE = L2()
