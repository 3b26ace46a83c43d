"""The residual discriminator D with its heads (paper section 4; SN-GAN's ResNet)."""

import keras
import tensorflow as tf

from robgan_tf.config.choices import DISCRIMINATOR_HEADS, DISCRIMINATOR_NORMALIZATIONS
from robgan_tf.layers import SpectralNormalization, check_precision
from robgan_tf.models.blocks import Arithmetic, DiscriminatorBlock, glorot_uniform
from robgan_tf.models.widths import discriminator_widths


class ResNetDiscriminator(keras.Model):
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
      normalization: "spectral" (every convolution and linear layer), "batch" (before each ReLU
        of the blocks) or "none".
      head: what there is besides the source head: "class", "projection" or "none".
      use_bias: whether convolutions carry a bias; the official code's do not.
      power_iterations: of spectral normalization, in each D update. SN-GAN makes 1, which is slow
        to notice when another singular value overtakes the largest: kernels in use were then
        measured up to 13 % above 1 in narrow networks, and within 1 % with 256, which cost little
        (see the layer).
      precision: of convolutions and activations, "float32" or "bfloat16"; see `Arithmetic`.
      rewritten: False computes the network as the recipe is written: slower, and the same numbers
        but for rounding; see `Arithmetic`.

    Raises:
      ValueError: if the widths do not fit the resolution, or the normalization, the head or the
        precision does not exist.
    """

    def __init__(
        self,
        resolution=32,
        channels=3,
        num_classes=10,
        base_width=64,
        widths="official",
        normalization="spectral",
        head="class",
        use_bias=False,
        power_iterations=256,
        precision="float32",
        rewritten=True,
        name="discriminator",
    ):
        super().__init__(name=name)
        check_precision(precision)
        _check_choice("normalization", normalization, DISCRIMINATOR_NORMALIZATIONS)
        _check_choice("head", head, DISCRIMINATOR_HEADS)
        self.resolution = resolution
        self.channels = channels
        self.num_classes = num_classes
        self.block_names = []
        for number, row in enumerate(discriminator_widths(widths, resolution, base_width), start=1):
            self.block_names.append(f"block_{number}")
            block = DiscriminatorBlock(
                row.width,
                row.resample,
                normalization,
                Arithmetic(precision, rewritten),
                first=number == 1,
                use_bias=use_bias,
                power_iterations=power_iterations,
                name=self.block_names[-1],
            )
            setattr(self, self.block_names[-1], block)
        iterations = power_iterations if normalization == "spectral" else None
        self.source_head = _head(1, "source_head", iterations)
        self.class_head = self.projection = None
        if num_classes and head == "class":
            self.class_head = _head(num_classes, "class_head", iterations)
        if num_classes and head == "projection":
            # Column k is the embedding of class k.
            self.projection = _head(num_classes, "projection", iterations, use_bias=False)

    def build(self, input_shape=None):
        """Creates all variables; the shape is known from the constructor and not needed."""
        shape = (None, self.resolution, self.resolution, self.channels)
        for name in self.block_names:
            block = getattr(self, name)
            block.build(shape)
            size = shape[1] // 2 if block.resample else shape[1]
            shape = (None, size, size, block.width)
        for head in (self.source_head, self.class_head, self.projection):
            if head is not None:
                head.build((None, shape[-1]))
        self.built = True

    def call(self, images, labels=None, training=False, update_statistics=True):
        """Judges images.

        Args:
          images: [N, resolution, resolution, channels] in [-1, 1].
          labels: [N] integers, for the projection; not used without it.
          training: advance spectral normalization (unless its kernels are held) and use batch
            statistics, otherwise moving averages.
          update_statistics: with `training`, whether moving averages move.

        Returns:
          source_logits [N], positive for real; class_logits [N, num_classes], or None where
          the model has no class head.

        Raises:
          ValueError: if there is a projection and no labels.
        """
        hidden = images
        for name in self.block_names:
            hidden = getattr(self, name)(
                hidden, training=training, update_statistics=update_statistics
            )
        features = tf.reduce_sum(tf.cast(tf.nn.relu(hidden), self.compute_dtype), axis=[1, 2])
        source_logits = tf.squeeze(self.source_head(features, training=training), axis=-1)
        if self.projection is not None:
            source_logits += self._projected(features, labels, training)
        if self.class_head is None:
            return source_logits, None
        return source_logits, self.class_head(features, training=training)

    def _projected(self, features, labels, training):
        if labels is None:
            raise ValueError("a discriminator with a projection head judges images of given labels")
        products = self.projection(features, training=training)
        return tf.reduce_sum(
            products * tf.one_hot(labels, self.num_classes, dtype=products.dtype), axis=1
        )


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"ResNetDiscriminator {name} {value!r} does not exist; choose one of "
            f"{', '.join(choices)}"
        )


def _head(outputs, name, power_iterations, use_bias=True):
    layer = keras.layers.Dense(
        outputs, use_bias=use_bias, kernel_initializer=glorot_uniform(1.0), name=name
    )
    if power_iterations is None:
        return layer
    return SpectralNormalization(layer, power_iterations, name=name)
