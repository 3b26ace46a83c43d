"""GIF: its first frame, written anew as a file of its own without transparency.

TensorFlow's decoder makes transparent pixels, and those around a frame that is smaller than its
picture, black. So the frame is given a palette in which the transparent colour is white.
"""

import tensorflow as tf

from robgan_tf.data.decoding.bounds import MOST_PARTS, within_bounds
from robgan_tf.data.decoding.colours import as_channels
from robgan_tf.data.decoding.unsigned import Content, bytes_of, unsigned

_EXTENSION, _FRAME, _CONTROL = 0x21, 0x2C, 0xF9
_COLOURS = 256


def decode_gif(content: Content, channels: int) -> tf.Tensor:
    """Decodes the first frame of a GIF file over white.

    Args:
      content: its bytes.
      channels: 1 or 3.

    Returns:
      uint8 [H, W, channels].
    """
    flags = unsigned(content, 10, 1, big=False)
    frame, transparent = _first_frame(content, 13 + _palette_bytes(flags))
    left, top, width, height = (
        unsigned(content, frame + place, 2, big=False) for place in (1, 3, 5, 7)
    )
    full_width = tf.maximum(unsigned(content, 6, 2, big=False), left + width)
    full_height = tf.maximum(unsigned(content, 8, 2, big=False), top + height)
    needed = tf.stack([frame, left, top, width, height, full_width, full_height])
    needed = within_bounds(needed, full_height, full_width)
    frame, left, top, width, height, full_width, full_height = tf.unstack(needed)
    frame_flags = unsigned(content, frame + 9, 1, big=False)
    own_bytes = _palette_bytes(frame_flags)
    stored = tf.where(
        own_bytes > 0,
        tf.stack([frame + 10, own_bytes]),
        tf.stack([tf.constant(13, tf.int64), _palette_bytes(flags)]),
    )
    stored_palette = bytes_of(content)[stored[0] : stored[0] + stored[1]]
    palette = _palette(stored_palette, transparent)
    interlaced = tf.bitwise.bitwise_and(frame_flags, 64)
    rewritten = tf.strings.join(
        [
            b"GIF89a",
            tf.strings.substr(content.encoded, frame + 5, 4),
            b"\xf7\0\0",
            _as_string(palette),
            b"\x2c\0\0\0\0",
            tf.strings.substr(content.encoded, frame + 5, 4),
            _as_string(interlaced[None]),
            tf.strings.substr(content.encoded, frame + 10 + own_bytes, -1),
        ]
    )
    colours = tf.io.decode_image(rewritten, 3, expand_animations=False)
    # Around the frame Pillow has the transparent colour, or the first one.
    around = tf.gather(palette, tf.maximum(transparent, 0))
    edges = [[top, full_height - top - height], [left, full_width - left - width], [0, 0]]
    inside = tf.pad(tf.ones([height, width, 1], tf.bool), edges)
    colours = tf.where(inside, tf.pad(colours, edges), tf.cast(around, tf.uint8))
    return as_channels(tf.ensure_shape(colours, [None, None, 3]), channels)


def _palette_bytes(flags: tf.Tensor) -> tf.Tensor:
    size = 3 * tf.bitwise.left_shift(tf.constant(2, tf.int64), tf.bitwise.bitwise_and(flags, 7))
    return tf.where(flags >= 128, size, 0)


def _palette(stored: tf.Tensor, transparent: tf.Tensor) -> tf.Tensor:
    """256 colours uint8 [256, 3]: those that are stored, then gray levels; one of them white."""
    stored = tf.reshape(stored, [-1, 3])
    indices = tf.range(_COLOURS, dtype=tf.int64)[:, None]
    levels = tf.cast(tf.tile(indices, [1, 3]), tf.uint8)
    colours = tf.concat([stored, levels[tf.shape(stored)[0] :]], axis=0)
    return tf.where(indices == transparent, tf.constant(255, tf.uint8), colours)


def _first_frame(content: Content, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds where the first frame begins, and the index of its transparent colour or -1."""

    def goes_on(at: tf.Tensor, within: tf.Tensor, transparent: tf.Tensor) -> tf.Tensor:
        del transparent
        return within | (unsigned(content, at, 1, big=False) == _EXTENSION)

    def step(at: tf.Tensor, within: tf.Tensor, transparent: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # Within an extension there are blocks that begin with their length, the last one's 0.
        length = unsigned(content, at, 1, big=False)
        is_control = ~within & (unsigned(content, at + 1, 1, big=False) == _CONTROL)
        has_transparent = is_control & (unsigned(content, at + 3, 1, big=False) % 2 == 1)
        transparent = tf.where(
            has_transparent, unsigned(content, at + 6, 1, big=False), transparent
        )
        at = tf.where(within, at + 1 + length, at + 2)
        return at, ~within | (length > 0), transparent

    state = (start, tf.constant(False), tf.constant(-1, tf.int64))
    at, _, transparent = tf.while_loop(goes_on, step, state, maximum_iterations=MOST_PARTS)
    found = unsigned(content, at, 1, big=False) == _FRAME
    with tf.control_dependencies([tf.debugging.Assert(found, ["a GIF file without a frame"])]):
        return tf.identity(at), transparent


def _as_string(values: tf.Tensor) -> tf.Tensor:
    """A string of the bytes in an integer tensor."""
    single = tf.constant([bytes([value]) for value in range(256)])
    return tf.strings.reduce_join(tf.gather(single, tf.reshape(tf.cast(values, tf.int32), [-1])))
