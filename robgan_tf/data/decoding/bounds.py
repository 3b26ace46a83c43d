"""How large an image may be: its head alone says it, and a few bytes could ask for all memory."""

import tensorflow as tf

# 4 bytes of colour each, in numbers of 4 bytes, make a gigabyte of it.
MOST_PIXELS = 2**26
TOO_LARGE = f"an image of more than {MOST_PIXELS} pixels is not decoded"
# Segments, chunks or blocks of a file, of which many tiny ones would take a server's time.
MOST_PARTS = 2**14


def within_bounds(encoded: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns the encoded image, which must not be too large: decoding waits for the check.

    Args:
      encoded: string scalar or bytes uint8 [N].
      height: int64, as its head has it.
      width: likewise.
    """
    # Each by itself too, as their product could be beyond 64 bits.
    sides = tf.stack([height, width])
    fits = tf.reduce_all(sides <= MOST_PIXELS) & (height * width <= MOST_PIXELS)
    with tf.control_dependencies([tf.debugging.Assert(fits, [TOO_LARGE])]):
        return tf.identity(encoded)
