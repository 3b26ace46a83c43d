"""The residual discriminator D with its heads (paper section 4; SN-GAN's ResNet)."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.config.groups import (
    DISCRIMINATOR_HEADS,
    DISCRIMINATOR_NORMALIZATIONS,
    SPECTRAL_NORMALIZATIONS,
)
from robgan_tf.layers import (
    check_precision,
    spectral_normalization_layers,
    spectrally_normalized,
)
from robgan_tf.layers.class_labels import one_hot_labels
from robgan_tf.models.blocks import DiscriminatorBlock
from robgan_tf.models.forms import DISCRIMINATOR_FORMS
from robgan_tf.models.initializers import bias_initializer, glorot_uniform
from robgan_tf.models.normalized_block import NormalizedDiscriminatorBlock
from robgan_tf.models.players import Discriminator
from robgan_tf.models.widths import discriminator_widths
from robgan_tf.typing import Shape


@keras.saving.register_keras_serializable(package="robgan_tf")
class ResNetDiscriminator(Discriminator):
    """Maps an image to a source logit (real or generated) and class logits.

    Residual blocks, ReLU, global sum pooling and two linear heads: S (source) and C (class). C
    replaces the projection of SN-GAN and is the classifier that fine-tuning hardens. The
    projection can be had instead (Miyato and Koyama, ICLR 2018): the source logit is then
    S(features) + <embedding of the label, features>, and there are no class logits.

    Args:
      resolution: height and width of the images in pixels.
      channels: channels of the images.
      num_classes: of the class head or the projection; 0 for neither.
      base_width: unit of the widths (`ch`; 64 in the paper).
      widths: a name in `widths.py` ("official", "sngan", ...) or a row such as "2, 2, 2-, 2-".
      normalization: "spectral" (every convolution and linear layer; "keras_spectral" and
        "tfa_spectral" with those packages' wrappers, which overwrite the kernel), "batch"
        (before each ReLU of the blocks, or as the form has it) or "none".
      head: what there is besides the source head: "class", "projection" or "none".
      use_bias: whether convolutions carry a bias; the official code's do not.
      power_iterations: of spectral normalization, in each D update. SN-GAN makes 1, which is slow
        to notice when another singular value overtakes the largest: kernels in use were then
        measured up to 13 % above 1 in narrow networks, and within 1 % with 256, which cost little
        (see the layer).
      form: "own"; "official_code", the authors': batch normalization after every convolution, the
        heads' biases start as PyTorch's; or "sngan": no bias of the source head.
      precision: of convolutions and of the activations between them, "float32" or "bfloat16";
        what touches pixels, heads, normalizations and all variables are float32 with either.
      name: of the model.
      **kwargs: as `Network` takes.

    Raises:
      ValueError: if the widths do not fit the resolution, or the normalization, the head, the form
        or the precision does not exist.
    """

    def __init__(
        self,
        resolution: int = 32,
        channels: int = 3,
        num_classes: int = 10,
        base_width: int = 64,
        widths: str = "official",
        normalization: str = "spectral",
        head: str = "class",
        use_bias: bool = False,
        power_iterations: int = 256,
        form: str = "own",
        precision: str = "float32",
        name: str = "discriminator",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        check_precision(precision)
        for choice, value, choices in (
            ("normalization", normalization, DISCRIMINATOR_NORMALIZATIONS),
            ("head", head, DISCRIMINATOR_HEADS),
            ("form", form, tuple(DISCRIMINATOR_FORMS)),
        ):
            _check_choice(choice, value, choices)
        self.resolution = resolution
        self.channels = channels
        self.num_classes = num_classes
        self.base_width = base_width
        self.widths = widths
        self.normalization = normalization
        self.head = head
        self.use_bias = use_bias
        self.power_iterations = power_iterations
        self.form = form
        self.precision = precision
        published = DISCRIMINATOR_FORMS[form]
        after_convolutions = normalization == "batch" and published.normalize_convolutions
        block_class = NormalizedDiscriminatorBlock if after_convolutions else DiscriminatorBlock
        self.block_names = []
        for number, row in enumerate(discriminator_widths(widths, resolution, base_width), start=1):
            self.block_names.append(f"block_{number}")
            block = block_class(
                row.width,
                row.resample,
                normalization,
                precision,
                first=number == 1,
                use_bias=use_bias,
                power_iterations=power_iterations,
                name=self.block_names[-1],
            )
            setattr(self, self.block_names[-1], block)
        bias = bias_initializer(published.random_biases, fan_in=row.width)
        self.source_head = self._head(1, "source_head", bias, published.source_bias)
        self.class_head = self.projection = None
        if num_classes and head == "class":
            self.class_head = self._head(num_classes, "class_head", bias)
        if num_classes and head == "projection":
            # Column k is the embedding of class k.
            self.projection = self._head(num_classes, "projection", bias, use_bias=False)

    @override
    def build_layers(self) -> None:
        shape = self.example_shape
        for name in self.block_names:
            block = getattr(self, name)
            block.build(shape)
            size = shape[1] // 2 if block.resample else shape[1]
            shape = (None, size, size, block.width)
        for head in (self.source_head, self.class_head, self.projection):
            if head is not None:
                head.build((None, shape[-1]))

    @property
    def example_shape(self) -> Shape:
        """[N, resolution, resolution, channels] of a batch of images."""
        return (None, self.resolution, self.resolution, self.channels)

    @override
    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = False,
        update_statistics: bool = True,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Judges images [N, resolution, resolution, channels], as every `Discriminator` does.

        Labels are for the projection, and not used without it.

        Raises:
          ValueError: if there is a projection and no labels.
        """
        features = self.features(images, training, update_statistics)
        source_logits = tf.squeeze(self.source_head(features, training=training), axis=-1)
        if self.projection is not None:
            source_logits += self._projected(features, labels, training)
        if self.class_head is None:
            return source_logits, None
        return source_logits, self.class_head(features, training=training)

    @override
    def features(
        self, images: tf.Tensor, training: bool = False, update_statistics: bool = True
    ) -> tf.Tensor:
        """What the heads see: [N, width of the last block], summed over the image.

        Args are those of `call`.
        """
        hidden = images
        for name in self.block_names:
            hidden = getattr(self, name)(
                hidden, training=training, update_statistics=update_statistics
            )
        return tf.reduce_sum(tf.cast(tf.nn.relu(hidden), self.compute_dtype), axis=[1, 2])

    def folded(self) -> Self:
        """Returns a copy without spectral normalization that computes the same in inference mode.

        Its kernels are the very ones that this D uses then: kernel / sigma.
        """
        if self.normalization not in SPECTRAL_NORMALIZATIONS:
            return super().folded()
        copy = type(self).from_config({**self.get_config(), "normalization": "none"})
        copy.build()
        layers = spectral_normalization_layers(self)
        vectors = {id(layer.vector_u) for layer in layers}
        kernels = {id(layer.layer.kernel): layer for layer in layers}
        kept = [variable for variable in self.variables if id(variable) not in vectors]
        for variable, own in zip(copy.variables, kept, strict=True):
            layer = kernels.get(id(own))
            variable.assign(own if layer is None else layer.normalized_kernel())
        return copy

    @override
    def get_config(self) -> dict[str, Any]:
        names = (
            *("resolution", "channels", "num_classes", "base_width", "widths", "normalization"),
            *("head", "use_bias", "power_iterations", "form", "precision"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _head(
        self,
        outputs: int,
        name: str,
        bias: keras.initializers.Initializer,
        use_bias: bool = True,
    ) -> keras.layers.Layer:
        layer = keras.layers.Dense(
            outputs,
            use_bias=use_bias,
            kernel_initializer=glorot_uniform(1.0),
            bias_initializer=bias,
            name=name,
        )
        if self.normalization not in SPECTRAL_NORMALIZATIONS:
            return layer
        return spectrally_normalized(layer, self.normalization, self.power_iterations)

    def _projected(self, features: tf.Tensor, labels: tf.Tensor, training: bool) -> tf.Tensor:
        if labels is None:
            raise ValueError("a discriminator with a projection head judges images of given labels")
        assert self.projection is not None, "only a projection head asks for it"
        products = self.projection(features, training=training)
        return tf.reduce_sum(
            products * one_hot_labels(labels, self.num_classes, products.dtype, training), axis=1
        )


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(
            f"ResNetDiscriminator {name} {value!r} does not exist; choose one of "
            f"{', '.join(choices)}"
        )
