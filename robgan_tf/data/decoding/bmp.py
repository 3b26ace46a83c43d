"""BMP, uncompressed: TensorFlow's decoder takes palettes for gray levels."""

import tensorflow as tf

from robgan_tf.data.decoding.bounds import within_bounds
from robgan_tf.data.decoding.colours import as_channels
from robgan_tf.data.decoding.unsigned import Content, bytes_of, unsigned

HEADER_SIZES = (40, 52, 56, 108, 124)
BITS = (1, 4, 8, 24, 32)


def decode_bmp(content: Content, channels: int) -> tf.Tensor:
    """Decodes a BMP file.

    Args:
      content: its bytes.
      channels: 1 or 3.

    Returns:
      uint8 [H, W, channels]; the fourth byte of 32 bits is not looked at.
    """
    bits = unsigned(content, 28, 2, big=False)
    plain = unsigned(content, 30, 4, big=False) == 0
    known = tf.reduce_any(
        unsigned(content, 14, 4, big=False) == tf.constant(HEADER_SIZES, tf.int64)
    )
    known &= tf.reduce_any(bits == tf.constant(BITS, tf.int64)) & plain
    message = "a BMP file must be uncompressed, of 1, 4, 8, 24 or 32 bits a pixel"
    with tf.control_dependencies([tf.debugging.Assert(known, [message])]):
        bits = tf.identity(bits)
    rows, width = _rows(content, bits)
    colours = tf.cond(
        bits <= 8,
        lambda: _of_palette(content, rows, bits, width),
        lambda: _of_colours(rows, bits, width),
    )
    return as_channels(tf.ensure_shape(colours, [None, None, 3]), channels)


def _rows(content: Content, bits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The bytes of each line, uint8 [H, B], from the top; and the width in pixels."""
    width = unsigned(content, 18, 4, big=False)
    stored_height = unsigned(content, 22, 4, big=False)
    from_top = stored_height >= 2**31
    height = tf.where(from_top, 2**32 - stored_height, stored_height)
    data = within_bounds(bytes_of(content), height, width)
    stride = (width * bits + 31) // 32 * 4
    start = unsigned(content, 10, 4, big=False)
    rows = tf.reshape(data[start : start + stride * height], tf.stack([height, stride]))
    return rows[:: tf.where(from_top, 1, -1)], width


def _of_colours(rows: tf.Tensor, bits: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    pixels = rows[:, : width * bits // 8]
    return tf.reshape(pixels, tf.stack([tf.shape(rows, tf.int64)[0], width, bits // 8]))[..., 2::-1]


def _of_palette(content: Content, rows: tf.Tensor, bits: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """The colours of lines of indices, of which the first is in the highest bits of a byte."""
    bits = tf.minimum(bits, 8)
    shifts = tf.cast(tf.range(8 - bits, -1, -bits), tf.uint8)
    indices = tf.bitwise.right_shift(rows[..., None], shifts)
    indices = tf.bitwise.bitwise_and(indices, tf.cast(2**bits - 1, tf.uint8))
    indices = tf.cast(tf.reshape(indices, [tf.shape(rows)[0], -1])[:, :width], tf.int32)
    used = unsigned(content, 46, 4, big=False)
    count = tf.where(used > 0, used, 2**bits)
    start = 14 + unsigned(content, 14, 4, big=False)
    palette = tf.reshape(bytes_of(content)[start : start + 4 * count], [-1, 4])
    return tf.gather(palette, indices)[..., 2::-1]
