"""Cuts the centre square and resizes it: Pillow's antialiased bicubic filter in whole numbers.

The same filter in floating point differs from Pillow's by a level here and there, because Pillow
rounds to bytes between its two passes. So that a server shows a network what training showed it,
this is the same arithmetic: weights of 22 bits, sums of 32.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

_BITS = 22
_SUPPORT = 2.0  # of the bicubic filter, in pixels on either side


def fit_square(images: tf.Tensor, side: int) -> tf.Tensor:
    """Cuts images to their centre square and resizes them.

    The square is as wide as the shorter side and begins at a half pixel where that is its centre.

    Args:
      images: uint8 [N, H, W, C] with H and W above 0.
      side: of the result, in pixels.

    Returns:
      uint8 [N, side, side, C].
    """
    return tf.ensure_shape(_fitter(side)(images), [images.shape[0], side, side, images.shape[-1]])


@functools.cache
def _fitter(side: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function for one size, which is traced once a process."""

    @tf.function(input_signature=[tf.TensorSpec([None] * 4, tf.uint8)], autograph=False)
    def fitter(images: tf.Tensor) -> tf.Tensor:
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        fits = (height == side) & (width == side)
        return tf.cond(fits, lambda: images, lambda: _resized(images, side))

    return fitter


def _resized(images: tf.Tensor, side: int) -> tf.Tensor:
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    taps = _taps(tf.stack([width, height]), tf.minimum(width, height), side)
    # Columns first, as `image_file`; each pass brings its axis to the front.
    columns = _resample(tf.transpose(images, [2, 0, 1, 3]), *(values[0] for values in taps))
    rows = _resample(tf.transpose(columns, [2, 1, 0, 3]), *(values[1] for values in taps))
    return tf.transpose(rows, [1, 0, 2, 3])


def _resample(lines: tf.Tensor, positions: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Resizes the middle of the first axis: uint8 [L, ...] to uint8 [side, ...].

    Args:
      lines: the image, the axis to resize in front.
      positions: int32 [side, K], the lines that each of the result is made of.
      weights: int32 [side, K] of them, in units of 2^-22.
    """
    side = positions.shape[0]
    first, last = positions[0, 0], positions[-1, -1] + 1
    used = lines[first:last]
    shape = tf.shape(used)
    outputs = tf.repeat(tf.range(side, dtype=tf.int64), tf.shape(weights)[1])
    inputs = tf.cast(tf.reshape(positions - first, [-1]), tf.int64)
    sums = tf.raw_ops.SparseTensorDenseMatMul(
        a_indices=tf.stack([outputs, inputs], axis=1),
        a_values=tf.reshape(weights, [-1]),
        a_shape=tf.cast([side, shape[0]], tf.int64),
        b=tf.cast(tf.reshape(used, [shape[0], -1]), tf.int32),
    )
    levels = tf.bitwise.right_shift(sums + 2 ** (_BITS - 1), _BITS)
    resized = tf.cast(tf.clip_by_value(levels, 0, 255), tf.uint8)
    return tf.reshape(resized, tf.concat([[side], shape[1:]], axis=0))


def _taps(totals: tf.Tensor, length: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Which lines each output line is made of, as Pillow's `precompute_coeffs` has it.

    Args:
      totals: int32 [2], lines that there are across and down.
      length: int32, lines in the middle that are shown; the filter sees its neighbours too.
      side: output lines.

    Returns:
      A tuple of positions int32 [2, side, K], which are ascending, and weights int32 [2, side, K]
      in units of 2^-22.
    """
    totals = totals[:, None]
    start = tf.cast(totals - length, tf.float64) / 2.0
    scale = tf.cast(length, tf.float64) / side
    filter_scale = tf.maximum(scale, 1.0)
    support = _SUPPORT * filter_scale
    centres = start + (tf.range(side, dtype=tf.float64) + 0.5) * scale
    lowest = tf.maximum(tf.cast(centres - support + 0.5, tf.int32), 0)
    highest = tf.minimum(tf.cast(centres + support + 0.5, tf.int32), totals)
    most = tf.cast(tf.math.ceil(support), tf.int32) * 2 + 1
    positions = lowest[..., None] + tf.range(most)
    distances = (tf.cast(positions, tf.float64) - centres[..., None] + 0.5) * (1.0 / filter_scale)
    weights = tf.where(positions < highest[..., None], _bicubic(distances), 0.0)
    weights = weights / tf.reduce_sum(weights, axis=-1, keepdims=True) * 2.0**_BITS
    weights = tf.cast(weights + 0.5 * tf.sign(weights), tf.int32)
    return tf.minimum(positions, highest[:, -1:, None] - 1), weights


def _bicubic(distances: tf.Tensor) -> tf.Tensor:
    """The bicubic filter with a = -0.5, in the order of Pillow's operations."""
    x = tf.abs(distances)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))
