"""One encoded image of any format that is read, to pixels."""

import functools
from collections.abc import Callable

import tensorflow as tf

from robgan_tf.data.decoding.bmp import decode_bmp
from robgan_tf.data.decoding.gif import decode_gif
from robgan_tf.data.decoding.jpeg import decode_jpeg
from robgan_tf.data.decoding.orientation import (
    jpeg_exif,
    no_exif,
    orientation_in,
    png_exif,
    upright,
    webp_exif,
)
from robgan_tf.data.decoding.png import decode_png
from robgan_tf.data.decoding.unsigned import content_of, reads
from robgan_tf.data.decoding.webp import decode_webp

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WebP")


def decode_picture(encoded: tf.Tensor, side: int, channels: int, turns: bool = True) -> tf.Tensor:
    """Decodes an image upright, over white.

    Args:
      encoded: string scalar, the bytes of a file of one of `FORMATS`, whatever its name.
      side: that `fit_square` will bring it to, which large JPEG files are decoded small for.
      channels: 1 for grayscale, 3 for RGB.
      turns: whether an image is turned by its EXIF orientation.

    Returns:
      uint8 [H, W, channels]: the pixels that `image_file` reads, before it resizes them.

    Raises:
      InvalidArgumentError: it is of another format, or broken.
    """
    return _decoder(side, channels, turns)(encoded)


@functools.cache
def _decoder(side: int, channels: int, turns: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function for one size, which is traced once a process: that takes a second or two."""

    # Without autograph, which it has no use for, tracing takes half as long.
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def decoder(encoded: tf.Tensor) -> tf.Tensor:
        return _decoded(encoded, side, channels, turns)

    return decoder


def _decoded(encoded: tf.Tensor, side: int, channels: int, turns: bool) -> tf.Tensor:
    content = content_of(encoded)
    is_format = tf.stack(
        [
            reads(content, 0, b"\xff\xd8\xff"),
            reads(content, 0, b"\x89PNG\r\n"),
            reads(content, 0, b"GIF87a") | reads(content, 0, b"GIF89a"),
            reads(content, 0, b"BM"),
            reads(content, 0, b"RIFF") & reads(content, 8, b"WEBP"),
        ]
    )
    message = f"Unknown image file format: encoded images must be {', '.join(FORMATS)}"
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_any(is_format), [message])]):
        number = tf.argmax(tf.cast(is_format, tf.int32), output_type=tf.int32)
    picture = tf.switch_case(
        number,
        [
            lambda: decode_jpeg(encoded, side, channels),
            lambda: decode_png(content, channels),
            lambda: decode_gif(content, channels),
            lambda: decode_bmp(content, channels),
            lambda: decode_webp(content, channels),
        ],
    )
    picture = tf.ensure_shape(picture, [None, None, channels])
    if not turns:
        return picture
    spans = (jpeg_exif, png_exif, no_exif, no_exif, webp_exif)
    first, last = tf.switch_case(number, [functools.partial(find, content) for find in spans])
    return upright(picture, orientation_in(content, (first, last)))
