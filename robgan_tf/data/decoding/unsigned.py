"""Whole numbers out of the bytes of a file, within a graph."""

import tensorflow as tf


def bytes_of(encoded: tf.Tensor) -> tf.Tensor:
    """The bytes of a string as uint8 [N]."""
    return tf.io.decode_raw(encoded, tf.uint8)


def unsigned(data: tf.Tensor, at: tf.Tensor | int, size: int, big: tf.Tensor | bool) -> tf.Tensor:
    """Reads an unsigned number; bytes beyond the end read as 0.

    Args:
      data: uint8 [N].
      at: int64, the position of its first byte.
      size: bytes that it has, at most 7.
      big: whether its first byte is the highest.

    Returns:
      int64 scalar.
    """
    at = tf.cast(at, tf.int64)
    part = tf.cast(data[at : at + size], tf.int64)
    part = tf.ensure_shape(tf.pad(part, [[0, size - tf.size(part)]]), [size])
    powers = tf.constant([256**place for place in range(size)], tf.int64)
    return tf.reduce_sum(powers * tf.where(big, part[::-1], part))


def reads(data: tf.Tensor, at: tf.Tensor | int, text: bytes) -> tf.Tensor:
    """Whether a text of at most 7 bytes stands at a position: bool scalar."""
    return unsigned(data, at, len(text), big=True) == int.from_bytes(text)
