"""The orientation that a camera wrote beside an image: where it stands, and turning upright.

TensorFlow's decoders drop it, so the fields are found in the bytes.
"""

from collections.abc import Callable

import tensorflow as tf

from robgan_tf.data.decoding.bounds import MOST_PARTS
from robgan_tf.data.decoding.unsigned import Content, bytes_of, part_of, reads, unsigned

_TAG = 0x0112
_SHORT = 3
_PREFIX = b"Exif\0\0"
# A pair of positions, of the first byte and of the one after the last; equal where there is none.
Span = tuple[tf.Tensor, tf.Tensor]


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns an image as its orientation asks for.

    Args:
      image: [H, W, C].
      orientation: int64 scalar, a value of EXIF's field; what is not from 2 to 8 changes nothing.

    Returns:
      [H, W, C], or [W, H, C] for 5 to 8.
    """
    sideways = (orientation >= 5) & (orientation <= 8)
    image = tf.cond(sideways, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)

    def listed(*values: int) -> tf.Tensor:
        return tf.reduce_any(orientation == tf.constant(values, tf.int64))

    left_right = tf.where(listed(2, 3, 6, 7), -1, 1)
    up_down = tf.where(listed(3, 4, 7, 8), -1, 1)
    return image[::up_down, ::left_right]


def jpeg_exif(content: Content) -> Span:
    """Where the EXIF data of a JPEG file is: in its first APP1 segment of that kind."""

    def ends(at: tf.Tensor) -> tf.Tensor:
        marker = unsigned(content, at + 1, 1, big=True)
        return (unsigned(content, at, 1, big=True) != 0xFF) | (marker == 0xDA) | (marker == 0xD9)

    def step(at: tf.Tensor) -> tuple[tf.Tensor, Span]:
        marker = unsigned(content, at + 1, 1, big=True)
        following = at + 2 + unsigned(content, at + 2, 2, big=True)
        is_exif = (marker == 0xE1) & reads(content, at + 4, _PREFIX)
        is_filler = marker == 0xFF
        return tf.where(is_filler, at + 1, following), _span(is_exif, at + 10, following)

    return _search(2, ends, step)


def png_exif(content: Content) -> Span:
    """Where the EXIF data of a PNG file is: its chunk eXIf."""
    total = content.size

    def ends(at: tf.Tensor) -> tf.Tensor:
        return (at + 8 > total) | reads(content, at + 4, b"IEND")

    def step(at: tf.Tensor) -> tuple[tf.Tensor, Span]:
        end = at + 8 + unsigned(content, at, 4, big=True)
        return end + 4, _span(reads(content, at + 4, b"eXIf"), at + 8, end)

    return _search(8, ends, step)


def webp_exif(content: Content) -> Span:
    """Where the EXIF data of a WebP file is: its chunk EXIF, if the head says that there is one."""
    total = content.size
    has_exif = reads(content, 12, b"VP8X") & ((unsigned(content, 20, 1, big=False) & 8) > 0)

    def ends(at: tf.Tensor) -> tf.Tensor:
        return ~has_exif | (at + 8 > total)

    def step(at: tf.Tensor) -> tuple[tf.Tensor, Span]:
        size = unsigned(content, at + 4, 4, big=False)
        start = at + 8 + tf.where(reads(content, at + 8, _PREFIX), tf.constant(6, tf.int64), 0)
        span = _span(reads(content, at, b"EXIF"), start, at + 8 + size)
        return at + 8 + size + size % 2, span

    return _search(12, ends, step)


def no_exif(content: Content) -> Span:
    """For a format without: nowhere."""
    del content
    return tf.constant(0, tf.int64), tf.constant(0, tf.int64)


def orientation_in(content: Content, span: Span) -> tf.Tensor:
    """Reads the orientation out of EXIF data, which is a small TIFF file.

    Args:
      content: the whole file.
      span: where the EXIF data is.

    Returns:
      int64 scalar, 0 where there is none.
    """
    exif = part_of(content, *span)
    big = reads(exif, 0, b"MM\0*")
    known = big | reads(exif, 0, b"II*\0")
    directory = unsigned(exif, 4, 4, big)
    count = unsigned(exif, directory, 2, big)
    entries = bytes_of(part_of(exif, directory + 2, directory + 2 + 12 * count))
    entries = tf.reshape(entries[: tf.size(entries) // 12 * 12], [-1, 12])
    pairs = tf.cast(tf.reshape(entries, [-1, 6, 2]), tf.int64)
    numbers = tf.where(
        big, pairs[..., 0] * 256 + pairs[..., 1], pairs[..., 1] * 256 + pairs[..., 0]
    )
    # Of an entry: tag, type, count (two pairs), value.
    wanted = known & (numbers[:, 0] == _TAG) & (numbers[:, 1] == _SHORT)
    return tf.reduce_max(tf.concat([[0], tf.where(wanted, numbers[:, 4], 0)], axis=0))


def _span(found: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> Span:
    return tf.where(found, start, 0), tf.where(found, end, 0)


def _search(
    start: int,
    ends: Callable[[tf.Tensor], tf.Tensor],
    step: Callable[[tf.Tensor], tuple[tf.Tensor, Span]],
) -> Span:
    """Goes from part to part of a file until one is what is sought, or there is no further one."""
    zero = tf.constant(0, tf.int64)

    def goes_on(at: tf.Tensor, first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        return (first == last) & ~ends(at)

    def body(at: tf.Tensor, first: tf.Tensor, last: tf.Tensor) -> tuple[tf.Tensor, ...]:
        at, (first, last) = step(at)
        return at, first, last

    state = (tf.constant(start, tf.int64), zero, zero)
    at, first, last = tf.while_loop(goes_on, body, state, maximum_iterations=MOST_PARTS)
    message = f"an image file of more than {MOST_PARTS} parts is not decoded"
    ended = tf.debugging.Assert(~goes_on(at, first, last), [message])
    with tf.control_dependencies([ended]):
        return tf.identity(first), tf.identity(last)
