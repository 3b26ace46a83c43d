"""WebP."""

import tensorflow as tf

from robgan_tf.data.decoding.colours import as_channels, over_white


def decode_webp(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Decodes a WebP file, of an animation the first frame, over white.

    By the operation for any format: one for WebP alone would keep servers of TensorFlow before
    2.21 from loading the model, where this one refuses WebP files and nothing else.

    Args:
      encoded: string scalar.
      channels: 1 or 3.

    Returns:
      uint8 [H, W, channels].
    """
    image = tf.io.decode_image(encoded, 0, expand_animations=False)
    depth = tf.shape(image)[-1]
    image = tf.pad(image, [[0, 0], [0, 0], [0, 4 - depth]], constant_values=255)
    return as_channels(over_white(tf.ensure_shape(image, [None, None, 4])), channels)
