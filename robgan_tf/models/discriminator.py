"""The residual discriminator D with its two heads (paper section 4; SN-GAN's ResNet)."""

import keras
import tensorflow as tf

from robgan_tf.choices import DISCRIMINATOR_NORMALIZATIONS
from robgan_tf.layers import SpectralNormalization, check_precision
from robgan_tf.models.blocks import Arithmetic, DiscriminatorBlock, glorot_uniform
from robgan_tf.models.widths import discriminator_widths


class ResNetDiscriminator(keras.Model):
    """Maps an image to a source logit (real or generated) and class logits.

    Residual blocks, ReLU, global sum pooling and two linear heads: S (source) and C (class). C
    replaces the projection layer of SN-GAN and is the classifier that fine-tuning hardens.

    Args:
      resolution: height and width of the images in pixels.
      channels: channels of the images.
      num_classes: outputs of the class head; 0 leaves it out.
      base_width: unit of the widths (`ch`; 64 in the paper).
      widths: a name in `widths.py` ("official", "sngan", ...) or a row such as "2, 2, 2-, 2-".
      normalization: "spectral" (every convolution and linear layer), "batch" (before each ReLU
        of the blocks) or "none".
      use_bias: whether convolutions carry a bias; the official code's do not.
      power_iterations: of spectral normalization, in each D update. SN-GAN makes 1, which is slow
        to notice when another singular value overtakes the largest: kernels in use were then
        measured up to 13 % above 1 in narrow networks, and within 1 % with 256, which cost little
        (see the layer).
      precision: of convolutions and activations, "float32" or "bfloat16"; see `Arithmetic`.
      rewritten: False computes the network as the recipe is written: slower, and the same numbers
        but for rounding; see `Arithmetic`.

    Raises:
      ValueError: if the widths do not fit the resolution, or the normalization or the precision
        does not exist.
    """

    def __init__(
        self,
        resolution=32,
        channels=3,
        num_classes=10,
        base_width=64,
        widths="official",
        normalization="spectral",
        use_bias=False,
        power_iterations=256,
        precision="float32",
        rewritten=True,
        name="discriminator",
    ):
        super().__init__(name=name)
        check_precision(precision)
        if normalization not in DISCRIMINATOR_NORMALIZATIONS:
            raise ValueError(
                f"ResNetDiscriminator normalization {normalization!r} does not exist; "
                f"choose one of {', '.join(DISCRIMINATOR_NORMALIZATIONS)}"
            )
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
        self.class_head = _head(num_classes, "class_head", iterations) if num_classes else None

    def build(self, input_shape=None):
        """Creates all variables; the shape is known from the constructor and not needed."""
        shape = (None, self.resolution, self.resolution, self.channels)
        for name in self.block_names:
            block = getattr(self, name)
            block.build(shape)
            size = shape[1] // 2 if block.resample else shape[1]
            shape = (None, size, size, block.width)
        self.source_head.build((None, shape[-1]))
        if self.class_head is not None:
            self.class_head.build((None, shape[-1]))
        self.built = True

    def call(self, images, labels=None, training=False, update_statistics=True):
        """Judges images.

        Args:
          images: [N, resolution, resolution, channels] in [-1, 1].
          labels: [N] integers; not used by the two heads (a projection head needs them).
          training: advance spectral normalization (unless its kernels are held) and use batch
            statistics, otherwise moving averages.
          update_statistics: with `training`, whether moving averages move.

        Returns:
          source_logits [N], positive for real; class_logits [N, num_classes], or None where
          the model has no classes.
        """
        del labels
        hidden = images
        for name in self.block_names:
            hidden = getattr(self, name)(
                hidden, training=training, update_statistics=update_statistics
            )
        features = tf.reduce_sum(tf.cast(tf.nn.relu(hidden), self.compute_dtype), axis=[1, 2])
        source_logits = tf.squeeze(self.source_head(features, training=training), axis=-1)
        if self.class_head is None:
            return source_logits, None
        return source_logits, self.class_head(features, training=training)


def _head(outputs, name, power_iterations):
    layer = keras.layers.Dense(outputs, kernel_initializer=glorot_uniform(1.0), name=name)
    if power_iterations is None:
        return layer
    return SpectralNormalization(layer, power_iterations, name=name)
