"""Moves of the Square attack in L-infinity."""

import tensorflow as tf

from robgan_tf.attacks.ball import clip_to_box
from robgan_tf.attacks.square_windows import corners, inside, offsets, square_sides


class LInfinityMoves:
    """Starts with vertical stripes; a query sets a square to +-epsilon, one sign per channel."""

    def __init__(self, images: tf.Tensor, epsilon: float | tf.Tensor, initial_share: float) -> None:
        _, _, self._size, self._channels = images.shape
        self._lowest, self._highest = clip_to_box(images - epsilon), clip_to_box(images + epsilon)
        self._sides = tf.constant(square_sides(initial_share, self._size, least=1))
        self.start_lanes = self._size * self._channels
        self.lanes = 2 + self._channels

    def start(self, draws: tf.Tensor) -> tf.Tensor:
        """Returns the first images, made of random numbers [N, start_lanes]."""
        up = tf.reshape(draws < 0.5, [-1, 1, self._size, self._channels])
        return tf.where(up, self._highest, self._lowest)

    def propose(self, attacked: tf.Tensor, draws: tf.Tensor, stage: tf.Tensor) -> tf.Tensor:
        """Makes one proposal; see `WindowMoves.propose`."""
        # A step of 2 epsilon from anywhere in the ball, projected, ends at its edge.
        side = self._sides[stage]
        rows, columns = tf.unstack(corners(draws[:, :2], side, self._size), axis=1)
        is_inside = inside(offsets(rows, self._size), offsets(columns, self._size), side)
        up = draws[:, None, None, 2:] < 0.5
        return tf.where(is_inside, tf.where(up, self._highest, self._lowest), attacked)
