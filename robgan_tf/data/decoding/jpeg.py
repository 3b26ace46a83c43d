"""JPEG."""

import tensorflow as tf

from robgan_tf.data.decoding.bounds import within_bounds
from robgan_tf.data.decoding.colours import as_channels

# Large JPEGs may be decoded at 1/2, 1/4 or 1/8 of their size, which is much faster, as
# long as this many decoded pixels remain for each pixel of the result.
DRAFT_MARGIN = 2


def decode_jpeg(encoded: tf.Tensor, side: int, channels: int) -> tf.Tensor:
    """Decodes a JPEG file for a square of a given side.

    Args:
      encoded: string scalar.
      side: that the result will be resized to, which large files need not be decoded in full for.
      channels: 1 or 3.

    Returns:
      uint8 [H, W, channels].
    """
    height, width, components = tf.unstack(tf.image.extract_jpeg_shape(encoded, tf.int64))
    encoded = within_bounds(encoded, height, width)
    needed = DRAFT_MARGIN * side
    spare = tf.minimum(width // needed, height // needed)
    is_cmyk = components == 4
    exponent = tf.where(spare >= 8, 3, tf.where(spare >= 4, 2, tf.where(spare >= 2, 1, 0)))
    halvings = [lambda ratio=2**power: _decoded(encoded, channels, ratio) for power in range(4)]
    return tf.cond(
        is_cmyk,
        lambda: as_channels(_decoded(encoded, 3, 1), channels),
        lambda: tf.switch_case(exponent, halvings),
    )


def _decoded(encoded: tf.Tensor, channels: int, ratio: int) -> tf.Tensor:
    # The faster transform, which would be the default, differs by up to 7 levels.
    return tf.io.decode_jpeg(encoded, channels, ratio=ratio, dct_method="INTEGER_ACCURATE")
