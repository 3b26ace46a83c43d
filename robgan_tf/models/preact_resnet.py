"""PreActResNet-18 (He et al., 2016) with the two heads of D: the authors' CIFAR classifier."""

from typing import Any

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.config.groups import PREACT_NORMALIZATIONS
from robgan_tf.layers import (
    BatchNormalization,
    PixelConvolution2D,
    StridedConvolution2D,
    check_precision,
    to_precision,
)
from robgan_tf.models.forms import PREACT_FORMS, PreActForm
from robgan_tf.models.initializers import (
    GAIN_3X3,
    bias_initializer,
    glorot_uniform,
    he_normal_of_outputs,
    pytorch_kernel,
)
from robgan_tf.models.network import Network
from robgan_tf.typing import Shape

STAGE_WIDTHS = (1, 2, 4, 8)
BLOCKS_IN_A_STAGE = 2
LEAK = 0.2


@keras.saving.register_keras_serializable(package="robgan_tf")
class PreActResNet18(Network):
    """Maps an image to a source logit and class logits, as `ResNetDiscriminator` does.

    A 3x3 convolution, four stages of two residual blocks, of which all but the first halve the
    image, global average pooling and two linear heads. A block is (norm-)LeakyReLU-conv-(norm-)
    LeakyReLU-conv plus a shortcut, with a strided 1x1 convolution where shapes differ.

    Args:
      resolution: height and width of the images in pixels; a multiple of 8.
      channels: channels of the images.
      num_classes: outputs of the class head.
      base_width: channels of the first stage (64 in the paper of the network).
      normalization: "none", as in the official code of Rob-GAN, or "batch".
      form: "own", or "official_code", the authors': strided convolutions padded on both sides, no
        activation before the pooling, other initializers.
      precision: of convolutions and activations, "float32" or "bfloat16".
      name: of the model.
      **kwargs: as `Network` takes.

    Raises:
      ValueError: if the resolution is not a multiple of 8 or a choice does not exist.
    """

    def __init__(
        self,
        resolution: int = 32,
        channels: int = 3,
        num_classes: int = 10,
        base_width: int = 64,
        normalization: str = "none",
        form: str = "own",
        precision: str = "float32",
        name: str = "preact_resnet18",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        check_precision(precision)
        if resolution % 8:
            raise ValueError(
                f"PreActResNet18 halves images three times, which {resolution} pixels do not allow"
            )
        for choice, value, choices in (
            ("normalization", normalization, PREACT_NORMALIZATIONS),
            ("form", form, tuple(PREACT_FORMS)),
        ):
            if value not in choices:
                raise ValueError(
                    f"PreActResNet18 {choice} {value!r} does not exist; choose one of "
                    f"{', '.join(choices)}"
                )
        self.resolution = resolution
        self.channels = channels
        self.num_classes = num_classes
        self.base_width = base_width
        self.normalization_kind = normalization
        self.form = form
        self.precision = precision
        published = PREACT_FORMS[form]
        # What touches pixels is float32, so that an attack's gradient is not rounded to zero.
        self.stem = PixelConvolution2D(
            base_width,
            use_bias=False,
            kernel_initializer=_kernel(published, 3, first=True),
            name="stem",
        )
        self.block_names = []
        for stage, width in enumerate(STAGE_WIDTHS, start=1):
            for number in range(1, BLOCKS_IN_A_STAGE + 1):
                self.block_names.append(f"block_{stage}_{number}")
                stride = 2 if stage > 1 and number == 1 else 1
                block = PreActBlock(
                    width * base_width,
                    stride,
                    normalization,
                    precision,
                    form,
                    name=self.block_names[-1],
                )
                setattr(self, self.block_names[-1], block)
        last = normalization if published.last_activation else "none"
        self.normalization = _normalization(last, "normalization")
        features = STAGE_WIDTHS[-1] * base_width
        self.source_head = _head(1, "source_head", published, features)
        self.class_head = _head(num_classes, "class_head", published, features)

    @override
    def build_layers(self) -> None:
        shape = self.example_shape
        self.stem.build(shape)
        shape = (*shape[:-1], self.stem.filters)
        for name in self.block_names:
            block = getattr(self, name)
            block.build(shape)
            shape = block.compute_output_shape(shape)
        if self.normalization is not None:
            self.normalization.build(shape)
        for head in (self.source_head, self.class_head):
            head.build((None, shape[-1]))

    @property
    def example_shape(self) -> Shape:
        """[N, resolution, resolution, channels] of a batch of images."""
        return (None, self.resolution, self.resolution, self.channels)

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = False,
        update_statistics: bool = True,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Judges images.

        Args:
          images: [N, resolution, resolution, channels] in [-1, 1].
          labels: not used.
          training: use batch statistics, otherwise moving averages.
          update_statistics: with `training`, whether moving averages move.

        Returns:
          source_logits [N], positive for real; class_logits [N, num_classes].
        """
        del labels
        features = self.features(images, training, update_statistics)
        return tf.squeeze(self.source_head(features), axis=-1), self.class_head(features)

    def features(
        self, images: tf.Tensor, training: bool = False, update_statistics: bool = True
    ) -> tf.Tensor:
        """What the heads see: [N, 8 base_width], averaged over the image; Args as in `call`."""
        mode = {"training": training, "update_statistics": update_statistics}
        hidden = to_precision(self.stem(images), self.precision)
        for name in self.block_names:
            hidden = getattr(self, name)(hidden, **mode)
        if PREACT_FORMS[self.form].last_activation:
            hidden = _activate(hidden, self.normalization, mode)
        return tf.reduce_mean(tf.cast(hidden, self.compute_dtype), axis=[1, 2])

    @override
    def get_config(self) -> dict[str, Any]:
        names = ("resolution", "channels", "num_classes", "base_width", "form", "precision")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "normalization": self.normalization_kind,
        }


@keras.saving.register_keras_serializable(package="robgan_tf")
class PreActBlock(keras.layers.Layer):
    """One residual block.

    Args:
      width: channels of the output and of the hidden layer.
      stride: 2 to halve height and width, or 1.
      normalization: "none" or "batch".
      precision: "float32" or "bfloat16".
      form: a name in `PREACT_FORMS`.
    """

    def __init__(
        self,
        width: int,
        stride: int,
        normalization: str,
        precision: str = "float32",
        form: str = "own",
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.form = form
        self.width = width
        self.stride = stride
        self.normalization = normalization
        self.precision = precision
        self.normalization_1 = _normalization(normalization, "normalization_1")
        self.normalization_2 = _normalization(normalization, "normalization_2")
        self.convolution_1 = self._convolution("convolution_1", stride, 3)
        self.convolution_2 = self._convolution("convolution_2", 1, 3)
        self.shortcut: StridedConvolution2D | None = None

    @override
    def build(self, input_shape: Shape) -> None:
        hidden = self.compute_output_shape(input_shape)
        self.convolution_1.build(input_shape)
        self.convolution_2.build(hidden)
        for layer, shape in ((self.normalization_1, input_shape), (self.normalization_2, hidden)):
            if layer is not None:
                layer.build(shape)
        if hidden != tuple(input_shape):
            self.shortcut = self._convolution("shortcut", self.stride, 1)
            self.shortcut.build(input_shape)
        self.built = True

    @override
    def compute_output_shape(self, input_shape: Shape) -> Shape:
        count, height, width, _ = input_shape
        return (count, -(-height // self.stride), -(-width // self.stride), self.width)

    @override
    def call(
        self, inputs: tf.Tensor, training: bool = False, update_statistics: bool = True
    ) -> tf.Tensor:
        mode = {"training": training, "update_statistics": update_statistics}
        hidden = _activate(inputs, self.normalization_1, mode)
        shortcut = inputs if self.shortcut is None else self.shortcut(hidden)
        hidden = _activate(self.convolution_1(hidden), self.normalization_2, mode)
        return self.convolution_2(hidden) + shortcut

    @override
    def get_config(self) -> dict[str, Any]:
        names = ("width", "stride", "normalization", "precision", "form")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _convolution(self, name: str, stride: int, kernel_size: int) -> StridedConvolution2D:
        published = PREACT_FORMS[self.form]
        return StridedConvolution2D(
            self.width,
            kernel_size,
            stride,
            even_padding=published.even_padding,
            use_bias=False,
            kernel_initializer=_kernel(published, kernel_size),
            precision=self.precision,
            name=name,
        )


def _activate(
    hidden: tf.Tensor, normalization: BatchNormalization | None, mode: dict[str, bool]
) -> tf.Tensor:
    hidden = hidden if normalization is None else normalization(hidden, **mode)
    if hidden.dtype == tf.float64:
        # The operation has its slope in float32, and 0.2 there is 1.5e-8 too much.
        return tf.where(hidden > 0.0, hidden, LEAK * hidden)
    return tf.nn.leaky_relu(hidden, LEAK)


def _normalization(kind: str, name: str) -> BatchNormalization | None:
    return BatchNormalization(name=name) if kind == "batch" else None


def _kernel(
    form: PreActForm, kernel_size: int, first: bool = False
) -> keras.initializers.Initializer:
    """The initializer of a convolution, of which the first sees the image."""
    if not form.he_kernels:
        return glorot_uniform(GAIN_3X3 if kernel_size == 3 else 1.0)
    return pytorch_kernel() if first or kernel_size == 1 else he_normal_of_outputs()


def _head(outputs: int, name: str, form: PreActForm, features: int) -> keras.layers.Dense:
    return keras.layers.Dense(
        outputs,
        kernel_initializer=pytorch_kernel() if form.he_kernels else glorot_uniform(1.0),
        bias_initializer=bias_initializer(form.he_kernels, fan_in=features),
        name=name,
    )
