"""PNG."""

import tensorflow as tf

from robgan_tf.data.decoding.bounds import within_bounds
from robgan_tf.data.decoding.colours import as_channels, over_white
from robgan_tf.data.decoding.unsigned import Content, unsigned

_GRAYSCALE, _COLOUR = 0, 2


def decode_png(content: Content, channels: int) -> tf.Tensor:
    """Decodes a PNG file, of an animation the default image, over white.

    Of 16 bits, gray levels are rounded to 8 and the higher bytes of colours are kept, as training
    does; a transparent level of the former is not looked at, and of the latter it is refused.

    Args:
      content: its bytes.
      channels: 1 or 3.

    Returns:
      uint8 [H, W, channels].
    """
    width, height = (unsigned(content, at, 4, big=True) for at in (16, 20))
    encoded = within_bounds(content.encoded, height, width)
    depth, kind = unsigned(content, 24, 1, big=True), unsigned(content, 25, 1, big=True)
    colours = tf.cond(
        depth == 16,
        lambda: _of_16_bits(encoded, kind),
        lambda: _of_8_bits(encoded, depth),
    )
    return as_channels(colours, channels)


def _of_8_bits(encoded: tf.Tensor, depth: tf.Tensor) -> tf.Tensor:
    colours = tf.io.decode_png(encoded, channels=4)
    # Where a file of less than 8 bits has no transparency, opacity is its highest level as it is.
    highest = tf.bitwise.left_shift(tf.constant(1, tf.int64), depth) - 1
    is_opaque = tf.reduce_all(colours[..., 3] == tf.cast(highest, tf.uint8))
    return tf.cond(is_opaque, lambda: colours[..., :3], lambda: over_white(colours))


def _of_16_bits(encoded: tf.Tensor, kind: tf.Tensor) -> tf.Tensor:
    wide = tf.cast(tf.io.decode_png(encoded, channels=4, dtype=tf.uint16), tf.int32)
    opaque = tf.reduce_all(wide[..., 3] == 65535)
    message = "a PNG file of 16 bits a colour with a transparent colour is not decoded"
    refused = tf.debugging.Assert((kind != _COLOUR) | opaque, [message])
    with tf.control_dependencies([refused]):
        wide = tf.identity(wide)
    return tf.cond(
        kind == _GRAYSCALE,
        lambda: tf.cast((wide[..., :3] + 128) // 257, tf.uint8),
        lambda: over_white(tf.cast(wide // 256, tf.uint8)),
    )
