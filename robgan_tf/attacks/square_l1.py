"""Moves of the Square attack in L1 (Croce and Hein, "Mind the box", ICML 2021)."""

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.ball import IMAGE_MAXIMUM, IMAGE_MINIMUM
from robgan_tf.attacks.l1_projection import project_on_ball_and_box
from robgan_tf.attacks.square_windows import WindowMoves, bumps

_SMALLEST_NORM = 1e-12


class L1Moves(WindowMoves):
    """Windows share absolute change; what they propose is projected on ball and box.

    A window may take more than the ball leaves it, as many times as there are channels: the
    projection takes the excess from all values alike, and so the small ones of the image away.
    """

    @staticmethod
    @override
    def patch(side: int) -> np.ndarray:
        # Bumps that fall fast: what the projection leaves of them is their peaks.
        peaks = bumps(side, 4)
        return peaks / np.abs(peaks).sum()

    @override
    def _of_tiles(self, tiles: tf.Tensor) -> tf.Tensor:
        # The channels of a tile have length 1 on the scale of [0, 1], whatever the radius.
        return tiles * (IMAGE_MAXIMUM - IMAGE_MINIMUM)

    @override
    def _unit(self, perturbation: tf.Tensor) -> tf.Tensor:
        return perturbation / tf.maximum(_absolute(perturbation), _SMALLEST_NORM)

    @override
    def _length(self, perturbation: tf.Tensor, freed: tf.Tensor) -> tf.Tensor:
        total = tf.reduce_sum(_absolute(perturbation), axis=3, keepdims=True)
        unused = tf.nn.relu(self._epsilon - total) / self._channels
        return (_absolute(freed) + unused) * self._channels

    @override
    def _within_ball_and_box(self, perturbation: tf.Tensor) -> tf.Tensor:
        return project_on_ball_and_box(self._images, self._images + perturbation, self._epsilon)


def _absolute(perturbation: tf.Tensor) -> tf.Tensor:
    """Returns the sum of absolute changes of each channel, [N, 1, 1, C]."""
    return tf.reduce_sum(tf.abs(perturbation), axis=[1, 2], keepdims=True)
