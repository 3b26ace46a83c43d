"""Random changes to training images, for a whole batch at once.

Every function takes its random numbers from a seed made by `derive_seed`, and works on
uint8 images so that it runs before the costly conversion to float.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

PADDING = 4  # pixels, for pad_crop_flip
CROP_AREA = (0.8, 0.9)  # fraction of the image's area, for area_crop_flip


class Rows(NamedTuple):
    """Some samples of a batch; what is drawn for each is what the whole batch would draw.

    Attributes:
      total: samples of the whole batch.
      chosen: int32 [n], positions of those that are made.
    """

    total: int
    chosen: tf.Tensor

    def of(self, draws: tf.Tensor) -> tf.Tensor:
        """Draws [n, ...] of the samples chosen, of those [total, ...] of all."""
        return tf.gather(draws, self.chosen)


def storage_side(resolution: int, augmentation: str) -> int:
    """Side in pixels at which images are kept, so that random crops are not enlarged."""
    return math.ceil(resolution * 1.125) if augmentation == "area_crop_flip" else resolution


def area_boxes(seed: tf.Tensor, count: int, rows: Rows | None = None) -> tf.Tensor:
    """Draws square parts of images: area uniform in `CROP_AREA`, position uniform.

    Args:
      seed: int32 tensor `[2]`.
      count: number of boxes n.
      rows: which of a batch they are for; None for all.

    Returns:
      float32 tensor `[n, 4]`: y0, x0, y1, x1 as fractions in [0, 1].
    """
    draws = _drawn(lambda n: tf.random.stateless_uniform([n, 3], seed, alg="philox"), count, rows)
    smallest, largest = CROP_AREA
    side = tf.sqrt(smallest + (largest - smallest) * draws[:, :1])
    top_left = draws[:, 1:] * (1.0 - side)
    return tf.concat([top_left, tf.minimum(top_left + side, 1.0)], axis=1)


def random_flip(images: tf.Tensor, seed: tf.Tensor, rows: Rows | None = None) -> tf.Tensor:
    """Mirrors each of the images `[n, h, w, c]` left to right with probability 1/2."""
    columns = _mirrored_columns(images.shape[0], images.shape[2], seed, rows)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def random_pad_crop_flip(images: tf.Tensor, seed: tf.Tensor, rows: Rows | None = None) -> tf.Tensor:
    """Shifts and mirrors images at random.

    Pads `PADDING` black pixels (value 0) on every side, cuts a window of the original
    size at a uniformly random position, then mirrors it with probability 1/2.

    Args:
      images: uint8 tensor `[n, h, w, c]`, n, h and w known statically.
      seed: int32 tensor `[2]`.
      rows: which of a batch the images are; None for all.

    Returns:
      uint8 tensor `[n, h, w, c]`.
    """
    count, height, width = images.shape[:3]
    margins = [PADDING, PADDING]
    padded = tf.pad(images, [[0, 0], margins, margins, [0, 0]])
    offset_seed, flip_seed = two_seeds(seed)
    offsets = _drawn(
        lambda n: tf.random.stateless_uniform(
            [n, 2], offset_seed, 0, 2 * PADDING + 1, tf.int32, alg="philox"
        ),
        count,
        rows,
    )
    lines = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + _mirrored_columns(count, width, flip_seed, rows)
    windows = tf.gather(padded, lines, axis=1, batch_dims=1)
    return tf.gather(windows, columns, axis=2, batch_dims=1)


def two_seeds(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits an int32 seed `[2]` into two independent ones."""
    pair = tf.random.split(seed, 2, alg="philox")
    return pair[0], pair[1]


def _drawn(draw: Callable[[int], tf.Tensor], count: int, rows: Rows | None) -> tf.Tensor:
    """Draws `[count, ...]`: of a whole batch, or those that its draws are for some rows of it."""
    return draw(count) if rows is None else rows.of(draw(rows.total))


def _mirrored_columns(count: int, width: int, seed: tf.Tensor, rows: Rows | None) -> tf.Tensor:
    """Column indices `[count, width]`, read from right to left with probability 1/2."""
    draws = _drawn(lambda n: tf.random.stateless_uniform([n, 1], seed, alg="philox"), count, rows)
    flipped = draws < 0.5
    columns = tf.range(width)
    return tf.where(flipped, columns[::-1], columns)
