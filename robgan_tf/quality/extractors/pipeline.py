"""What leads from stored images to those that a network takes: channels, resizing, scaling."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from robgan_tf.data.batches import scale_images
from robgan_tf.errors import UserError
from robgan_tf.quality.extractors.extractor import FreeShape, ImageShape
from robgan_tf.robustness.pixel_range import InputRange


def pipeline(
    name: str,
    network: Callable[[tf.Tensor], Any],
    input_range: InputRange,
    wanted: FreeShape,
    shape: ImageShape,
) -> Callable[[np.ndarray], Any]:
    """Compiles channels, resizing, scaling and a network for images of one shape.

    Args:
      name: for messages.
      network: function from float images of shape `wanted` in the input range to outputs.
      input_range: an InputRange.
      wanted: (height, width, channels) the network takes, None where it is free.
      shape: (height, width, channels) of the images.

    Returns:
      A function from uint8 images to outputs.
    """

    @tf.function(input_signature=[tf.TensorSpec([None, *shape], tf.uint8)], autograph=False)
    def call(images: tf.Tensor) -> Any:
        images = with_channels(name, images, wanted[2])
        if wanted[0] not in (None, shape[0]):
            images = _resize_antialiased(images, wanted[0])
        return network(input_range(scale_images(images)))

    return call


def with_channels(name: str, images: tf.Tensor | np.ndarray, wanted: int | None) -> tf.Tensor:
    """Repeats images of one channel where a network wants more; UserError for other images."""
    images = tf.convert_to_tensor(images)
    channels = images.shape[-1]
    if wanted in (None, channels):
        return images
    if channels != 1:
        raise UserError(f"{name} needs images of {wanted} channels, and these have {channels}")
    return tf.repeat(images, wanted, axis=-1)


def _resize_antialiased(images: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes uint8 images as Pillow does floats, and leaves them unrounded."""
    resized = tf.image.resize(images, [size, size], "bicubic", antialias=True)
    return tf.clip_by_value(resized, 0.0, 255.0)
