"""How large an image may be: its head alone says it, and a few bytes could ask for all memory."""

import tensorflow as tf

# 4 bytes of colour each, in numbers of 4 bytes, make a gigabyte of it.
MOST_PIXELS = 2**26
TOO_LARGE = f"an image of more than {MOST_PIXELS} pixels is not decoded"
# Segments, chunks or blocks of a file, of which many tiny ones would take a server's time.
MOST_PARTS = 2**14


def within_bounds(needed: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns what decoding needs, so that it waits for the check: the image must not be too large.

    Args:
      needed: the encoded image, or where in it something is.
      height: int64, as its head has it.
      width: likewise.
    """
    # Each by itself too, as their product could be beyond 64 bits.
    sides = tf.stack([height, width])
    fits = tf.reduce_all(sides <= MOST_PIXELS) & (height * width <= MOST_PIXELS)
    with tf.control_dependencies([tf.debugging.Assert(fits, [TOO_LARGE])]):
        return tf.identity(needed)
