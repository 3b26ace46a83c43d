"""The networks computed as their recipe is written, to compare with what the package computes.

Convolutions and resampling are two operations, 1x1 shortcuts are resampled where the recipe says,
and convolutions from and to pixels are ordinary ones: slower, and the same numbers but for
rounding. Variables are those of the model.
"""

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.layers import (
    PixelConvolution2D,
    PooledConv2D,
    UpSampledConv2D,
    average_pool,
    up_sample,
)
from robgan_tf.layers.convolution import convolve
from robgan_tf.models.blocks import DiscriminatorBlock, GeneratorBlock


class PlainPooledConv2D(PooledConv2D):
    """A convolution, then average pooling."""

    @override
    def rewrite(self, kernel: tf.Tensor) -> tf.Tensor:
        return kernel

    @override
    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return average_pool(convolve(inputs, kernel))


class PlainUpSampledConv2D(UpSampledConv2D):
    """Up-sampling, then a convolution."""

    @override
    def rewrite(self, kernel: tf.Tensor) -> tf.Tensor:
        return kernel

    @override
    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return convolve(up_sample(inputs), kernel)


class PlainPixelConvolution2D(PixelConvolution2D):
    """One ordinary convolution."""

    @override
    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return convolve(inputs, kernel)


class PlainGeneratorBlock(GeneratorBlock):
    """Its shortcut convolves the large image."""

    def _resampled_shortcut(self, inputs: tf.Tensor) -> tf.Tensor:
        assert self.shortcut is not None, "a block that changes the size has a shortcut"
        return self.shortcut(up_sample(inputs))


class PlainDiscriminatorBlock(DiscriminatorBlock):
    """Its shortcut convolves the large image, but in the first block."""

    def _resampled_shortcut(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        if self.first:
            return super()._resampled_shortcut(inputs, training)
        assert self.shortcut is not None, "a block that changes the size has a shortcut"
        return average_pool(self.shortcut(inputs, training=training))


_PLAIN = {
    plain.__base__: plain
    for plain in (
        PlainPooledConv2D,
        PlainUpSampledConv2D,
        PlainPixelConvolution2D,
        PlainGeneratorBlock,
        PlainDiscriminatorBlock,
    )
}


def plain_form(model: keras.Model) -> keras.Model:
    """Makes a built model compute in its plain form from now on, and returns it.

    A layer's plain form is a class of the same variables that overrides one step of the
    computation, so the layer changes its class; the package needs no switch for it.

    Args:
      model: a built model of `robgan_tf.models` that no graph has been traced of.
    """
    for layer in model._flatten_layers():
        layer.__class__ = _PLAIN.get(type(layer), type(layer))
    return model
