"""3x3 convolutions from or to the few channels of an image, rewritten for matrix units.

A convolution to 3 channels leaves most of a vector unit idle. Computed as 27 channels at each
pixel (a 1x1 convolution), then a sum of nine shifts with fixed weights, it is the same sum in
another order, and up to three times faster. The gradient of a convolution with respect to 3
channels, which each step of an attack needs, is such a convolution.

A SavedModel keeps that gradient only if saved by Keras's `export` or with
`tf.saved_model.SaveOptions(experimental_custom_gradients=True)`.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.layers.convolution import Convolution2D, convolve

MOST_CHANNELS_OF_AN_IMAGE = 4
# Below, the plain form was measured to be as fast.
FEWEST_CHANNELS_TO_REWRITE = 64


@keras.utils.register_keras_serializable(package="robgan_tf")
class PixelConvolution2D(Convolution2D):
    """Same-padded 3x3 convolution of which one side is an image.

    Args:
      filters: channels of the output.
      **kwargs: further arguments of `Convolution2D`, but `kernel_size`.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, 3, **kwargs)

    @override
    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        channels, filters = kernel.shape[2:]
        if max(channels, filters) < FEWEST_CHANNELS_TO_REWRITE:
            return convolve(inputs, kernel)
        if filters <= MOST_CHANNELS_OF_AN_IMAGE:
            return convolve_to_pixels(inputs, kernel)
        if channels <= MOST_CHANNELS_OF_AN_IMAGE:
            return convolve_from_pixels(inputs, kernel)
        return convolve(inputs, kernel)

    @override
    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["kernel_size"]
        return config


def convolve_to_pixels(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Same-padded convolution of [N, H, W, C] with a kernel [3, 3, C, few]: [N, H, W, few]."""
    channels, few = kernel.shape[2:]
    at_each_pixel = tf.reshape(tf.transpose(kernel, [2, 0, 1, 3]), [1, 1, channels, 9 * few])
    return convolve(convolve(inputs, at_each_pixel), tf.cast(_shifts(few), kernel.dtype))


@tf.custom_gradient
def convolve_from_pixels(
    inputs: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Same-padded convolution of [N, H, W, few] with a kernel [3, 3, few, C]: [N, H, W, C]."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        backwards = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])
        of_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=inputs,
            filter_sizes=kernel.shape,
            out_backprop=upstream,
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        return convolve_to_pixels(upstream, backwards), of_kernel

    return convolve(inputs, kernel), gradient


def _shifts(few: int) -> np.ndarray:
    """Kernel [3, 3, 9 few, few] that adds up, for each pixel, what its neighbours hold for it."""
    kernel = np.zeros([3, 3, 3, 3, few, few], np.float32)
    for row, column in np.ndindex(3, 3):
        kernel[row, column, row, column] = np.eye(few)
    return kernel.reshape(3, 3, 9 * few, few)
