"""WebP."""

import tensorflow as tf

from robgan_tf.data.decoding.bounds import within_bounds
from robgan_tf.data.decoding.colours import as_channels, over_white
from robgan_tf.data.decoding.unsigned import Content, reads, unsigned


def decode_webp(content: Content, channels: int) -> tf.Tensor:
    """Decodes a WebP file, of an animation the first frame, over white.

    By the operation for any format: one for WebP alone would keep servers of TensorFlow before
    2.21 from loading the model, where this one refuses WebP files and nothing else.

    Args:
      content: its bytes.
      channels: 1 or 3.

    Returns:
      uint8 [H, W, channels].
    """
    encoded = within_bounds(content.encoded, *_size(content))
    image = tf.io.decode_image(encoded, 0, expand_animations=False)
    depth = tf.shape(image)[-1]
    image = tf.pad(image, [[0, 0], [0, 0], [0, 4 - depth]], constant_values=255)
    return as_channels(over_white(tf.ensure_shape(image, [None, None, 4])), channels)


def _size(content: Content) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width by the first chunk, which is of one of three kinds."""

    def number(at: int, size: int) -> tf.Tensor:
        return unsigned(content, at, size, big=False)

    fourteen = 2**14  # Sides of pictures have 14 bits, those of canvases 24.
    extended, lossless = reads(content, 12, b"VP8X"), reads(content, 12, b"VP8L")
    packed = number(21, 4)
    height = tf.where(lossless, packed // fourteen % fourteen + 1, number(28, 2) % fourteen)
    width = tf.where(lossless, packed % fourteen + 1, number(26, 2) % fourteen)
    return (
        tf.where(extended, number(27, 3) + 1, height),
        tf.where(extended, number(24, 3) + 1, width),
    )
