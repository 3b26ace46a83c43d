"""The residual generator G(z, y) (paper section 4; SN-GAN's ResNet)."""

from typing import Any

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.layers import BatchNormalization, check_precision, to_precision
from robgan_tf.layers.class_labels import one_hot_labels
from robgan_tf.models.blocks import GeneratorBlock, convolution_3x3
from robgan_tf.models.forms import GENERATOR_FORMS
from robgan_tf.models.initializers import bias_initializer, glorot_uniform
from robgan_tf.models.players import Generator
from robgan_tf.models.widths import SMALLEST_SIZE, generator_widths
from robgan_tf.typing import Shape


@keras.saving.register_keras_serializable(package="robgan_tf")
class ResNetGenerator(Generator):
    """Maps a latent vector and a class to an image.

    Dense to 4x4, residual blocks with class-conditional batch normalization, then batch
    normalization, ReLU, convolution and tanh.

    Args:
      resolution: height and width of the images in pixels.
      channels: channels of the images.
      num_classes: number of classes; 0 makes a generator without classes, which ignores labels.
      base_width: unit of the widths (`ch`; 64 in the paper).
      widths: a name in `widths.py` ("official", "sngan", ...) or a row such as "4; 4, 2, 2".
      latent_size: length Z of the latent vector.
      form: "own", "official_code" (the authors') or "sngan": the gain of the last convolution, the
        moving averages and the last epsilon, as in `GENERATOR_FORMS`.
      precision: of the blocks' convolutions and of the activations between them, "float32" or
        "bfloat16"; what touches pixels, normalizations and all variables are float32 with either.
      name: of the model.
      **kwargs: as `Network` takes.

    Raises:
      ValueError: if the widths do not fit the resolution, or the form or the precision does not
        exist.
    """

    def __init__(
        self,
        resolution: int = 32,
        channels: int = 3,
        num_classes: int = 10,
        base_width: int = 64,
        widths: str = "official",
        latent_size: int = 128,
        form: str = "own",
        precision: str = "float32",
        name: str = "generator",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        check_precision(precision)
        if form not in GENERATOR_FORMS:
            raise ValueError(
                f"ResNetGenerator form {form!r} does not exist; choose one of "
                f"{', '.join(GENERATOR_FORMS)}"
            )
        published = GENERATOR_FORMS[form]
        self.form = form
        self.precision = precision
        self.resolution = resolution
        self.channels = channels
        self.num_classes = num_classes
        self.base_width = base_width
        self.widths = widths
        self.latent_size = latent_size
        self.first_width, rows = generator_widths(widths, resolution, base_width)
        self.dense = keras.layers.Dense(
            SMALLEST_SIZE**2 * self.first_width,
            kernel_initializer=glorot_uniform(1.0),
            bias_initializer=bias_initializer(published.random_biases, fan_in=latent_size),
            name="dense",
        )
        self.block_names = []
        for number, row in enumerate(rows, start=1):
            self.block_names.append(f"block_{number}")
            block = GeneratorBlock(
                row.width,
                row.resample,
                max(num_classes, 1),
                precision,
                form,
                name=self.block_names[-1],
            )
            setattr(self, self.block_names[-1], block)
        self.normalization = BatchNormalization(name="normalization", **published.plain())
        # What touches pixels is float32 in any precision.
        self.to_image = convolution_3x3(
            channels,
            "to_image",
            "float32",
            of_pixels=True,
            gain=published.image_gain,
            bias_initializer=bias_initializer(published.random_biases, fan_in=9 * row.width),
        )

    @override
    def build_layers(self) -> None:
        self.dense.build(self.example_shape)
        shape = (None, SMALLEST_SIZE, SMALLEST_SIZE, self.first_width)
        for name in self.block_names:
            block = getattr(self, name)
            block.build(shape)
            size = shape[1] * 2 if block.resample else shape[1]
            shape = (None, size, size, block.width)
        self.normalization.build(shape)
        self.to_image.build(shape)

    @property
    def example_shape(self) -> Shape:
        """[N, latent_size] of a batch of latents."""
        return (None, self.latent_size)

    @override
    def get_config(self) -> dict[str, Any]:
        names = (
            *("resolution", "channels", "num_classes", "base_width", "widths", "latent_size"),
            *("form", "precision"),
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @override
    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor,
        training: bool = False,
        update_statistics: bool = True,
    ) -> tf.Tensor:
        """Generates images [N, resolution, resolution, channels], as every `Generator` does.

        Weights of a mixture of classes are those of `ClassConditionalBatchNormalization`.

        Raises:
          ValueError: if labels are no classes; within a graph their images are NaN.
        """
        labels = tf.convert_to_tensor(labels)
        if self.num_classes == 0:
            labels = tf.zeros(tf.shape(labels)[:1], tf.int32)
        if not labels.dtype.is_floating:
            # Once for all layers, each of which would do the same.
            classes = max(self.num_classes, 1)
            labels = one_hot_labels(labels, classes, self.variable_dtype, training)
        mode = {"training": training, "update_statistics": update_statistics}
        hidden = self.dense(latents)
        hidden = tf.reshape(hidden, [-1, SMALLEST_SIZE, SMALLEST_SIZE, self.first_width])
        hidden = to_precision(hidden, self.precision)
        for name in self.block_names:
            hidden = getattr(self, name)(hidden, labels, **mode)
        return tf.tanh(self.to_image(tf.nn.relu(self.normalization(hidden, **mode))))
