"""How an example of TensorFlow Datasets becomes a square image."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from robgan_tf.data.decoding import decode_picture, fit_square
from robgan_tf.data.image_file import DECODE_ERRORS, read_image
from robgan_tf.data.sources import fingerprint, resize_antialiased
from robgan_tf.errors import one_line


def decoder(feature: Any, side: int, channels: int, reading: str) -> Callable[[dict], dict]:
    """Makes the function from an example as it is stored to one with a square uint8 image."""
    import tensorflow_datasets as tfds

    fit, decode_file = _READERS[reading]

    def square_of_pixels(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(square uint8 image `[side, side, c]`, fingerprint) of pixels `[h, w, c]`."""
        number = tf.numpy_function(fingerprint, [pixels], tf.int64, stateful=False)
        number.set_shape([])
        pixels.set_shape([None, None, channels])
        return fit(pixels, side), number

    def square_of_file(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The same of an encoded image of as many channels as are wanted."""
        return square_of_pixels(decode_file(data, side, channels))

    def square_of_any_file(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The same of an encoded image of any channels."""
        return _square_of_converted_file(data, side, channels)

    decode: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
    if isinstance(feature, tfds.features.Tensor):
        decode = square_of_pixels
    elif feature.shape[-1] == channels:
        decode = square_of_file
    else:
        decode = square_of_any_file

    # Without autograph, which it has no use for, tracing takes half as long.
    @tf.autograph.experimental.do_not_convert
    def decoded(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        image, number = decode(example["image"])
        return {**example, "image": image, "fingerprint": number}

    return decoded


def _square_of_converted_file(
    data: tf.Tensor, side: int, channels: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """(square uint8 image, fingerprint) of a file, read as one of `image_folder` is."""

    def read(content: bytes) -> tuple[np.ndarray, np.int64]:
        file: Any = io.BytesIO(content)  # Which PIL opens as it opens a path.
        try:
            return read_image(file, side, channels), fingerprint(content)
        except DECODE_ERRORS as error:
            raise ValueError(one_line(error)) from error

    image, number = tf.numpy_function(read, [data], (tf.uint8, tf.int64), stateful=False)
    image.set_shape([side, side, channels])
    number.set_shape([])
    return image, number


def _fit(image: tf.Tensor, side: int) -> tf.Tensor:
    """Cuts the centre square out of an image `[h, w, c]` and resizes it to `side`."""
    return fit_square(image[None], side)[0]


def _decoded_before(data: tf.Tensor, side: int, channels: int) -> tf.Tensor:
    """Decodes a file for runs that were begun with version 0.2.0."""
    del side
    return tf.io.decode_image(data, channels, tf.uint8, expand_animations=False)


def _fit_before(image: tf.Tensor, side: int) -> tf.Tensor:
    """Cuts and resizes for runs that were begun with version 0.2.0."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    shorter = tf.minimum(height, width)
    top, left = (height - shorter) // 2, (width - shorter) // 2
    image = image[top : top + shorter, left : left + shorter]
    image = tf.cond(
        tf.equal(shorter, side),
        lambda: image,
        lambda: resize_antialiased(image[None], side)[0],
    )
    return tf.ensure_shape(image, [side, side, image.shape[-1]])


# By `data.reading`: from pixels to a square, from a file to pixels.
_Fit = Callable[[tf.Tensor, int], tf.Tensor]
_Decode = Callable[[tf.Tensor, int, int], tf.Tensor]
_READERS: dict[str, tuple[_Fit, _Decode]] = {
    "served": (_fit, decode_picture),
    "pillow": (_fit_before, _decoded_before),
}
