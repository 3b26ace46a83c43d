"""Moves of the Square attack in L2."""

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.ball import clip_to_box, per_sample
from robgan_tf.attacks.norms.l2 import CHOICE as _L2
from robgan_tf.attacks.square_windows import WindowMoves, bumps

_SMALLEST_NORM = 1e-12


class L2Moves(WindowMoves):
    """Windows share squared length: what one frees, another takes."""

    @staticmethod
    @override
    def patch(side: int) -> np.ndarray:
        return eta(side)

    @override
    def _of_tiles(self, tiles: tf.Tensor) -> tf.Tensor:
        # All channels of a tile have the same patch, so they share the ball equally.
        return self._unit(tiles) * self._epsilon / self._channels**0.5

    @override
    def _unit(self, perturbation: tf.Tensor) -> tf.Tensor:
        # Graphs replace x / sqrt(y) and 1 / y by approximate functions whose last bit depends on
        # the place in the batch, so no expression in this file may have one of these forms.
        return perturbation / tf.maximum(tf.sqrt(_energy(perturbation)), _SMALLEST_NORM)

    @override
    def _length(self, perturbation: tf.Tensor, freed: tf.Tensor) -> tf.Tensor:
        unused = tf.nn.relu(self._epsilon**2 - _total_energy(perturbation)) / self._channels
        return tf.sqrt(_energy(freed) + unused)

    @override
    def _within_ball_and_box(self, perturbation: tf.Tensor) -> tf.Tensor:
        # Not by `_total_energy`, whose error in large images is more than the ball's edge allows.
        # A product, because graphs divide by a radius that they know before in this way too.
        excess = per_sample(_L2.norm(perturbation), perturbation) * tf.math.reciprocal(
            self._epsilon
        )
        excess = tf.maximum(excess, 1.0)
        # Clipping brings every pixel nearer to the image, so it keeps to the ball.
        return clip_to_box(self._images + perturbation / excess)


def eta(side: int) -> np.ndarray:
    """The patch of the L2 attack (equation (2)): two bumps of opposite sign side by side.

    Args:
      side: rows and columns.

    Returns:
      float64 [side, side] of length 1.
    """
    patch = bumps(side, 2)
    return patch / np.linalg.norm(patch)


def _energy(perturbation: tf.Tensor) -> tf.Tensor:
    """Returns the squared length of each channel, [N, 1, 1, C]."""
    return tf.reduce_sum(perturbation**2, axis=[1, 2], keepdims=True)


def _total_energy(perturbation: tf.Tensor) -> tf.Tensor:
    """Returns the squared length of each sample, [N, 1, 1, 1]."""
    return tf.reduce_sum(_energy(perturbation), axis=3, keepdims=True)
