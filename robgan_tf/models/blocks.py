"""Residual blocks of the generator and the discriminator (paper section 4; SN-GAN's ResNets)."""

from typing import Any

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.config.groups import SPECTRAL_NORMALIZATIONS
from robgan_tf.layers import (
    BatchNormalization,
    ClassConditionalBatchNormalization,
    Convolution2D,
    PixelConvolution2D,
    PooledConv2D,
    UpSampledConv2D,
    average_pool,
    spectrally_normalized,
    to_precision,
    up_sample,
)
from robgan_tf.models.forms import GENERATOR_FORMS
from robgan_tf.models.initializers import GAIN_3X3, glorot_uniform
from robgan_tf.typing import Shape


def convolution_3x3(
    width: int,
    name: str,
    precision: str,
    use_bias: bool = True,
    resampling: str | None = None,
    of_pixels: bool = False,
    gain: float = GAIN_3X3,
    bias_initializer: keras.initializers.Initializer | str = "zeros",
) -> Convolution2D:
    """A same-padded 3x3 convolution, optionally with resampling.

    Args:
      width: channels of the output.
      name: the layer's name.
      precision: "float32" or "bfloat16".
      use_bias: whether it carries a bias.
      resampling: None, "up" (nearest, before the convolution) or "down" (average, after it).
      of_pixels: whether its input or its output is an image.
      gain: of the initial kernel.
      bias_initializer: of the bias.
    """
    options = {
        "use_bias": use_bias,
        "kernel_initializer": glorot_uniform(gain),
        "bias_initializer": bias_initializer,
        "precision": precision,
        "name": name,
    }
    if resampling == "up":
        return UpSampledConv2D(width, **options)
    if resampling == "down":
        return PooledConv2D(width, **options)
    if of_pixels:
        return PixelConvolution2D(width, **options)
    return Convolution2D(width, 3, **options)


def convolution_1x1(width: int, name: str, precision: str, use_bias: bool = True) -> Convolution2D:
    """A 1x1 convolution.

    Args:
      width: channels of the output.
      name: the layer's name.
      precision: "float32" or "bfloat16".
      use_bias: whether it carries a bias.
    """
    return Convolution2D(
        width,
        1,
        use_bias=use_bias,
        kernel_initializer=glorot_uniform(1.0),
        precision=precision,
        name=name,
    )


@keras.saving.register_keras_serializable(package="robgan_tf")
class GeneratorBlock(keras.layers.Layer):
    """cBN-ReLU-(up)conv-cBN-ReLU-conv plus a shortcut: (up)conv 1x1 where shapes differ.

    Args:
      width: channels of the output and of the hidden layer.
      resample: whether the block doubles height and width.
      num_classes: classes of the conditional batch normalization.
      precision: "float32" or "bfloat16".
      form: a name in `GENERATOR_FORMS`.
    """

    def __init__(
        self,
        width: int,
        resample: bool,
        num_classes: int,
        precision: str = "float32",
        form: str = "own",
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.form = form
        self.num_classes = num_classes
        self.precision = precision
        self.width = width
        self.resample = resample
        normalization = GENERATOR_FORMS[form].conditional()
        self.normalization_1 = ClassConditionalBatchNormalization(
            num_classes, name="normalization_1", **normalization
        )
        self.convolution_1 = convolution_3x3(
            width, "convolution_1", precision, resampling="up" if resample else None
        )
        self.normalization_2 = ClassConditionalBatchNormalization(
            num_classes, name="normalization_2", **normalization
        )
        self.convolution_2 = convolution_3x3(width, "convolution_2", precision)
        self.shortcut: keras.layers.Layer | None = None

    @override
    def build(self, input_shape: Shape) -> None:
        inner = (*input_shape[:-1], self.width)
        self.normalization_1.build(input_shape)
        self.convolution_1.build(input_shape)
        self.normalization_2.build(inner)
        self.convolution_2.build(inner)
        if self.resample or input_shape[-1] != self.width:
            self.shortcut = convolution_1x1(self.width, "shortcut", self.precision)
            self.shortcut.build(input_shape)
        self.built = True

    @override
    def call(
        self,
        inputs: tf.Tensor,
        labels: tf.Tensor,
        training: bool = False,
        update_statistics: bool = True,
    ) -> tf.Tensor:
        mode = {"training": training, "update_statistics": update_statistics}
        hidden = tf.nn.relu(self.normalization_1(inputs, labels, **mode))
        hidden = self.convolution_1(hidden)
        hidden = tf.nn.relu(self.normalization_2(hidden, labels, **mode))
        return self.convolution_2(hidden) + self._shortcut(inputs)

    def _shortcut(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.shortcut is None:
            return inputs
        if not self.resample:
            return self.shortcut(inputs)
        return self._resampled_shortcut(inputs)

    def _resampled_shortcut(self, inputs: tf.Tensor) -> tf.Tensor:
        assert self.shortcut is not None, "a block that changes the size has a shortcut"
        # A 1x1 convolution and up-sampling commute: the small image costs a quarter.
        return up_sample(self.shortcut(inputs))

    @override
    def get_config(self) -> dict[str, Any]:
        names = ("width", "resample", "num_classes", "precision", "form")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="robgan_tf")
class DiscriminatorBlock(keras.layers.Layer):
    """(norm-)ReLU-conv-(norm-)ReLU-conv(-pool) plus a shortcut: conv 1x1 (-pool) where needed.

    The first block of D sees the image: it has no leading (norm-)ReLU, its hidden width is that
    of the output, its shortcut pools before the 1x1 convolution, and what touches pixels is
    float32 in any precision, so that an attack's gradient is not rounded to zero.

    Args:
      width: channels of the output.
      resample: whether the block halves height and width.
      normalization: "spectral", "keras_spectral", "tfa_spectral", "batch" or "none".
      precision: "float32" or "bfloat16".
      first: whether this is the first block of D.
      use_bias: whether convolutions carry a bias (the official code's do not).
      power_iterations: of spectral normalization.
    """

    def __init__(
        self,
        width: int,
        resample: bool,
        normalization: str,
        precision: str = "float32",
        first: bool = False,
        use_bias: bool = False,
        power_iterations: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.precision = precision
        self.power_iterations = power_iterations
        self.width = width
        self.resample = resample
        self.normalization = normalization
        self.first = first
        self.use_bias = use_bias
        self.normalization_1: BatchNormalization | None = None
        self.normalization_2: BatchNormalization | None = None
        self.shortcut: keras.layers.Layer | None = None

    @override
    def build(self, input_shape: Shape) -> None:
        hidden_width = self.width if self.first else input_shape[-1]
        hidden_shape = (*input_shape[:-1], hidden_width)
        if self.normalization == "batch":
            if not self.first:
                self.normalization_1 = BatchNormalization(name="normalization_1")
                self.normalization_1.build(input_shape)
            self.normalization_2 = BatchNormalization(name="normalization_2")
            self.normalization_2.build(hidden_shape)
        of_inputs = "float32" if self.first else self.precision
        self.convolution_1 = self._wrapped(
            convolution_3x3(
                hidden_width, "convolution_1", of_inputs, self.use_bias, of_pixels=self.first
            ),
            input_shape,
        )
        resampling = "down" if self.resample else None
        self.convolution_2 = self._wrapped(
            convolution_3x3(self.width, "convolution_2", self.precision, self.use_bias, resampling),
            hidden_shape,
        )
        if self.resample or input_shape[-1] != self.width:
            self.shortcut = self._wrapped(
                convolution_1x1(self.width, "shortcut", of_inputs, self.use_bias), input_shape
            )
        self.built = True

    @override
    def call(
        self, inputs: tf.Tensor, training: bool = False, update_statistics: bool = True
    ) -> tf.Tensor:
        mode = {"training": training, "update_statistics": update_statistics}
        hidden = inputs
        if not self.first:
            hidden = self._activate(hidden, self.normalization_1, mode)
        hidden = to_precision(self.convolution_1(hidden, training=training), self.precision)
        hidden = self._activate(hidden, self.normalization_2, mode)
        hidden = self.convolution_2(hidden, training=training)
        return hidden + tf.cast(self._shortcut(inputs, training), hidden.dtype)

    def _wrapped(self, layer: keras.layers.Layer, input_shape: Shape) -> keras.layers.Layer:
        if self.normalization in SPECTRAL_NORMALIZATIONS:
            layer = spectrally_normalized(layer, self.normalization, self.power_iterations)
        layer.build(input_shape)
        return layer

    def _activate(
        self, hidden: tf.Tensor, normalization: BatchNormalization | None, mode: dict[str, bool]
    ) -> tf.Tensor:
        return tf.nn.relu(hidden if normalization is None else normalization(hidden, **mode))

    def _shortcut(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        if self.shortcut is None:
            return inputs
        if not self.resample:
            return self.shortcut(inputs, training=training)
        return self._resampled_shortcut(inputs, training)

    def _resampled_shortcut(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        assert self.shortcut is not None, "a block that changes the size has a shortcut"
        # A 1x1 convolution and pooling commute, so every block may pool first, as the recipe
        # has it for the first block only.
        return self.shortcut(average_pool(inputs), training=training)

    @override
    def get_config(self) -> dict[str, Any]:
        names = (
            *("width", "resample", "normalization", "precision"),
            *("first", "use_bias", "power_iterations"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
