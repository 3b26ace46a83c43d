"""Random changes to training images, for a whole batch at once.

Every function takes its random numbers from a seed made by `derive_seed`, and works on
uint8 images so that it runs before the costly conversion to float.
"""

import math

import tensorflow as tf

PADDING = 4  # pixels, for pad_crop_flip
CROP_AREA = (0.8, 0.9)  # fraction of the image's area, for area_crop_flip


def storage_side(resolution: int, augmentation: str) -> int:
    """Side in pixels at which images are kept, so that random crops are not enlarged."""
    return math.ceil(resolution * 1.125) if augmentation == "area_crop_flip" else resolution


def area_boxes(seed: tf.Tensor, count: int) -> tf.Tensor:
    """Draws square parts of images: area uniform in `CROP_AREA`, position uniform.

    Args:
      seed: int32 tensor `[2]`.
      count: number of boxes n.

    Returns:
      float32 tensor `[n, 4]`: y0, x0, y1, x1 as fractions in [0, 1].
    """
    draws = tf.random.stateless_uniform([count, 3], seed, alg="philox")
    smallest, largest = CROP_AREA
    side = tf.sqrt(smallest + (largest - smallest) * draws[:, :1])
    top_left = draws[:, 1:] * (1.0 - side)
    return tf.concat([top_left, tf.minimum(top_left + side, 1.0)], axis=1)


def random_flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors each of the images `[n, h, w, c]` left to right with probability 1/2."""
    columns = _mirrored_columns(images.shape[0], images.shape[2], seed)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def random_pad_crop_flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shifts and mirrors images at random.

    Pads `PADDING` black pixels (value 0) on every side, cuts a window of the original
    size at a uniformly random position, then mirrors it with probability 1/2.

    Args:
      images: uint8 tensor `[n, h, w, c]`, n, h and w known statically.
      seed: int32 tensor `[2]`.

    Returns:
      uint8 tensor `[n, h, w, c]`.
    """
    count, height, width = images.shape[:3]
    margins = [PADDING, PADDING]
    padded = tf.pad(images, [[0, 0], margins, margins, [0, 0]])
    offset_seed, flip_seed = two_seeds(seed)
    offsets = tf.random.stateless_uniform(
        [count, 2], offset_seed, 0, 2 * PADDING + 1, tf.int32, alg="philox"
    )
    rows = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + _mirrored_columns(count, width, flip_seed)
    windows = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(windows, columns, axis=2, batch_dims=1)


def two_seeds(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits an int32 seed `[2]` into two independent ones."""
    pair = tf.random.split(seed, 2, alg="philox")
    return pair[0], pair[1]


def _mirrored_columns(count: int, width: int, seed: tf.Tensor) -> tf.Tensor:
    """Column indices `[count, width]`, read from right to left with probability 1/2."""
    flipped = tf.random.stateless_uniform([count, 1], seed, alg="philox") < 0.5
    columns = tf.range(width)
    return tf.where(flipped, columns[::-1], columns)
