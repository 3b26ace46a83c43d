"""Whole numbers out of the bytes of a file, within a graph.

A picture's head is some sixty of them, and every operation is one more to trace, to load and to
prepare in a server: so a number takes few.
"""

from typing import NamedTuple

import tensorflow as tf

_ZEROS = 64
_WIDTH = 8  # bytes of the number that an operation makes


class Content(NamedTuple):
    """The bytes of a file, or of a part of one.

    Attributes:
      encoded: string scalar.
      followed: the same and 64 bytes of 0 behind.
      size: int64 scalar, how many there are.
    """

    encoded: tf.Tensor
    followed: tf.Tensor
    size: tf.Tensor


def content_of(encoded: tf.Tensor) -> Content:
    """The bytes of a string, to read numbers from."""
    followed = tf.strings.join([encoded, bytes(_ZEROS)])
    return Content(encoded, followed, tf.cast(tf.strings.length(encoded), tf.int64))


def part_of(content: Content, start: tf.Tensor, end: tf.Tensor) -> Content:
    """The bytes from a position to before another; fewer where there are no more, or none."""
    start = tf.minimum(start, content.size)
    return content_of(tf.strings.substr(content.encoded, start, tf.maximum(end - start, 0)))


def bytes_of(content: Content) -> tf.Tensor:
    """The bytes as uint8 [N]."""
    return tf.io.decode_raw(content.encoded, tf.uint8)


def unsigned(content: Content, at: tf.Tensor | int, size: int, big: tf.Tensor | bool) -> tf.Tensor:
    """Reads an unsigned number; bytes beyond the end read as 0.

    Args:
      content: the bytes.
      at: int64, the position of its first byte; of Python's integers, at most 56.
      size: bytes that it has, at most 7.
      big: whether its first byte is the highest.

    Returns:
      int64 scalar.
    """
    found = _from(content, at, _WIDTH)
    if isinstance(big, bool):
        return _number(found, size, big)
    return tf.where(big, _number(found, size, True), _number(found, size, False))


def reads(content: Content, at: tf.Tensor | int, text: bytes) -> tf.Tensor:
    """Whether a text of at most 8 bytes stands at a position: bool scalar."""
    return _from(content, at, len(text)) == text


def _from(content: Content, at: tf.Tensor | int, size: int) -> tf.Tensor:
    """So many bytes from a position on, as a string: zeros follow the last."""
    # The operation refuses a position beyond the end.
    if isinstance(at, int):
        return tf.strings.substr(content.followed, at, size)
    return tf.strings.substr(
        content.followed, tf.minimum(at, content.size), tf.constant(size, tf.int64)
    )


def _number(found: tf.Tensor, size: int, big: bool) -> tf.Tensor:
    """The number in the first of 8 bytes."""
    number = tf.squeeze(tf.io.decode_raw(found, tf.int64, little_endian=not big), [0])
    if big:
        number = tf.bitwise.right_shift(number, 8 * (_WIDTH - size))
    return tf.bitwise.bitwise_and(number, 256**size - 1)
