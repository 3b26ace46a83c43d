"""Residual blocks of the generator and the discriminator (paper section 4; SN-GAN's ResNets)."""

import keras
import tensorflow as tf

from robgan_tf.layers import (
    BatchNormalization,
    ClassConditionalBatchNormalization,
    PooledConv2D,
    SpectralNormalization,
    UpSampledConv2D,
)


def glorot_uniform(gain):
    """Glorot's uniform initializer with a gain: sqrt(2) for 3x3 convolutions, 1 elsewhere."""
    return keras.initializers.VarianceScaling(scale=gain**2, mode="fan_avg", distribution="uniform")


def convolution_3x3(width, name, use_bias=True, resampling=None):
    """A same-padded 3x3 convolution, optionally fused with resampling.

    Args:
      width: channels of the output.
      name: the layer's name.
      use_bias: whether it carries a bias.
      resampling: None, "up" (nearest, before the convolution) or "down" (average, after it).
    """
    options = {
        "use_bias": use_bias,
        "kernel_initializer": glorot_uniform(2**0.5),
        "name": name,
    }
    if resampling == "up":
        return UpSampledConv2D(width, **options)
    if resampling == "down":
        return PooledConv2D(width, **options)
    return keras.layers.Conv2D(width, 3, padding="same", **options)


def convolution_1x1(width, name, use_bias=True):
    """A 1x1 convolution."""
    return keras.layers.Conv2D(
        width, 1, use_bias=use_bias, kernel_initializer=glorot_uniform(1.0), name=name
    )


def up_sample(images):
    """Nearest-neighbour up-sampling of [N, H, W, C] to [N, 2H, 2W, C]."""
    return tf.repeat(tf.repeat(images, 2, axis=1), 2, axis=2)


def average_pool(images):
    """2x2 average pooling of [N, H, W, C] to [N, H/2, W/2, C]."""
    return tf.nn.avg_pool2d(images, 2, 2, "VALID")


class GeneratorBlock(keras.layers.Layer):
    """cBN-ReLU-(up)conv-cBN-ReLU-conv plus a shortcut: (up)conv 1x1 where shapes differ.

    Args:
      width: channels of the output and of the hidden layer.
      resample: whether the block doubles height and width.
      num_classes: classes of the conditional batch normalization.
    """

    def __init__(self, width, resample, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.resample = resample
        self.normalization_1 = ClassConditionalBatchNormalization(
            num_classes, name="normalization_1"
        )
        self.convolution_1 = convolution_3x3(
            width, "convolution_1", resampling="up" if resample else None
        )
        self.normalization_2 = ClassConditionalBatchNormalization(
            num_classes, name="normalization_2"
        )
        self.convolution_2 = convolution_3x3(width, "convolution_2")
        self.shortcut = None

    def build(self, input_shape):
        inner = (*input_shape[:-1], self.width)
        self.normalization_1.build(input_shape)
        self.convolution_1.build(input_shape)
        self.normalization_2.build(inner)
        self.convolution_2.build(inner)
        if self.resample or input_shape[-1] != self.width:
            self.shortcut = convolution_1x1(self.width, "shortcut")
            self.shortcut.build(input_shape)

    def call(self, inputs, labels, training=False, update_statistics=True):
        mode = {"training": training, "update_statistics": update_statistics}
        hidden = tf.nn.relu(self.normalization_1(inputs, labels, **mode))
        hidden = self.convolution_1(hidden)
        hidden = tf.nn.relu(self.normalization_2(hidden, labels, **mode))
        return self.convolution_2(hidden) + self._shortcut(inputs)

    def _shortcut(self, inputs):
        if self.shortcut is None:
            return inputs
        # A 1x1 convolution and up-sampling commute: the small image costs a quarter.
        outputs = self.shortcut(inputs)
        return up_sample(outputs) if self.resample else outputs


class DiscriminatorBlock(keras.layers.Layer):
    """(norm-)ReLU-conv-(norm-)ReLU-conv(-pool) plus a shortcut: conv 1x1 (-pool) where needed.

    The first block of D sees the image: it has no leading (norm-)ReLU, its hidden width is that
    of the output, and its shortcut pools before the 1x1 convolution.

    Args:
      width: channels of the output.
      resample: whether the block halves height and width.
      normalization: "spectral", "batch" or "none".
      first: whether this is the first block of D.
      use_bias: whether convolutions carry a bias (the official code's do not).
      power_iterations: of spectral normalization.
    """

    def __init__(
        self,
        width,
        resample,
        normalization,
        first=False,
        use_bias=False,
        power_iterations=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.power_iterations = power_iterations
        self.width = width
        self.resample = resample
        self.normalization = normalization
        self.first = first
        self.use_bias = use_bias
        self.normalization_1 = None
        self.normalization_2 = None
        self.shortcut = None

    def build(self, input_shape):
        hidden_width = self.width if self.first else input_shape[-1]
        hidden_shape = (*input_shape[:-1], hidden_width)
        if self.normalization == "batch":
            if not self.first:
                self.normalization_1 = BatchNormalization(name="normalization_1")
                self.normalization_1.build(input_shape)
            self.normalization_2 = BatchNormalization(name="normalization_2")
            self.normalization_2.build(hidden_shape)
        self.convolution_1 = self._prepared(
            convolution_3x3(hidden_width, "convolution_1", self.use_bias), input_shape
        )
        resampling = "down" if self.resample else None
        self.convolution_2 = self._prepared(
            convolution_3x3(self.width, "convolution_2", self.use_bias, resampling), hidden_shape
        )
        if self.resample or input_shape[-1] != self.width:
            self.shortcut = self._prepared(
                convolution_1x1(self.width, "shortcut", self.use_bias), input_shape
            )

    def call(self, inputs, training=False, update_statistics=True):
        mode = {"training": training, "update_statistics": update_statistics}
        hidden = inputs
        if not self.first:
            hidden = self._activate(hidden, self.normalization_1, mode)
        hidden = self.convolution_1(hidden, training=training)
        hidden = self._activate(hidden, self.normalization_2, mode)
        hidden = self.convolution_2(hidden, training=training)
        return hidden + self._shortcut(inputs, training)

    def _prepared(self, layer, input_shape):
        if self.normalization == "spectral":
            layer = SpectralNormalization(layer, self.power_iterations, name=layer.name)
        layer.build(input_shape)
        return layer

    def _activate(self, hidden, normalization, mode):
        return tf.nn.relu(hidden if normalization is None else normalization(hidden, **mode))

    def _shortcut(self, inputs, training):
        if self.shortcut is None:
            return inputs
        # A 1x1 convolution and pooling commute, so every block may pool first, as the recipe
        # has it for the first block only.
        return self.shortcut(average_pool(inputs) if self.resample else inputs, training=training)
