"""The sum of the absolute changes of an image's pixel values."""

import math

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.ball import IMAGE_MAXIMUM, IMAGE_MINIMUM, flat
from robgan_tf.attacks.l1_projection import project_on_ball, project_on_ball_and_box
from robgan_tf.attacks.norm import Norm
from robgan_tf.attacks.sparse_ascent import signs_of_largest

SHARE_OF_STEP = 0.01  # Of all pixel values, those that a step of PGD changes.


class L1(Norm):
    """The sum of the absolute changes of an image's pixel values."""

    is_sparse = True

    @override
    def norm(self, perturbation: tf.Tensor) -> tf.Tensor:
        # In float64 for the same reason as in L2.
        sizes = tf.abs(tf.cast(flat(perturbation), tf.float64))
        return tf.cast(tf.reduce_sum(sizes, axis=1), perturbation.dtype)

    @override
    def ascent(self, gradient: tf.Tensor) -> tf.Tensor:
        """Returns the step of SLIDE: the hundredth of values with the largest gradient moves.

        Steepest ascent in L1 is a step on the one value whose gradient is largest. PGD would
        need thousands of those, so it moves a share of the values, all by the same (Tramer and
        Boneh, NeurIPS 2019).
        """
        return signs_of_largest(gradient, math.ceil(SHARE_OF_STEP * math.prod(gradient.shape[1:])))

    @override
    def ascent_within_box(self, attacked: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """Returns the step on those values that the box lets move."""
        is_free = tf.where(gradient > 0.0, attacked < IMAGE_MAXIMUM, attacked > IMAGE_MINIMUM)
        return self.ascent(tf.where(is_free, gradient, 0.0))

    @override
    def project(self, perturbation: tf.Tensor, epsilon: float | tf.Tensor) -> tf.Tensor:
        return project_on_ball(perturbation, epsilon)

    @override
    def project_within_box(
        self, images: tf.Tensor, attacked: tf.Tensor, epsilon: float | tf.Tensor
    ) -> tf.Tensor:
        """Returns the nearest images in both the ball and [-1, 1]."""
        return project_on_ball_and_box(images, attacked, epsilon)

    @override
    def random(
        self, shape: tf.Tensor, epsilon: float | tf.Tensor, seed: tf.Tensor, dtype: tf.DType
    ) -> tf.Tensor:
        # Shares of a sum of exponential numbers are uniform; the last one is what the ball leaves.
        size_seed, sign_seed = tf.unstack(tf.random.split(seed))
        values = tf.reduce_prod(shape)
        sizes = -tf.math.log1p(-tf.random.stateless_uniform([values + 1], size_seed, dtype=dtype))
        sizes = tf.reshape(sizes[:-1] / tf.reduce_sum(sizes), shape)
        up = tf.random.stateless_uniform(shape, sign_seed, dtype=dtype) < 0.5
        return epsilon * tf.where(up, sizes, -sizes)

    @override
    def distance(self, change: np.ndarray) -> np.ndarray:
        return np.abs(change).sum(axis=1)

    @override
    def grey_radius(self, values: int) -> float:
        return values * IMAGE_MAXIMUM


CHOICE = L1()
