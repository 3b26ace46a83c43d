"""What a discriminator makes of images."""

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.losses.source_loss import SourceLoss
from robgan_tf.typing import Scalars


class Judgement:
    """A discriminator's verdict on images, in inference mode; compiled once for all calls.

    Args:
      discriminator: a built `ResNetDiscriminator`.
      source_loss: what it is trained with, which says how certain it is of an image.
      batch_size: images at a time.
    """

    def __init__(
        self, discriminator: keras.Model, source_loss: SourceLoss, batch_size: int
    ) -> None:
        self._discriminator = discriminator
        self._source_loss = source_loss
        self._batch_size = batch_size
        self._compiled = tf.function(self._sums, autograph=False, reduce_retracing=True)

    def __call__(self, images: tf.Tensor, labels: np.ndarray) -> dict[str, float]:
        """Judges images.

        Args:
          images: [N, H, W, C] floats in [-1, 1].
          labels: int [N], the classes they are of or were asked for.

        Returns:
          Means over the images: "realness", unless the loss has no measure of it, and
          "accuracy_class" where there is a class head.
        """
        size = self._batch_size
        parts = (slice(start, start + size) for start in range(0, len(labels), size))
        sums = [self._compiled(images[part], tf.constant(labels[part], tf.int32)) for part in parts]
        return {name: sum(float(part[name]) for part in sums) / len(labels) for name in sums[0]}

    def _sums(self, images: tf.Tensor, labels: tf.Tensor) -> Scalars:
        source_logits, class_logits = self._discriminator(images, labels, training=False)
        values = {"realness": self._source_loss.realness(source_logits)}
        if class_logits is not None:
            predicted = tf.argmax(class_logits, axis=1, output_type=tf.int32)
            values["accuracy_class"] = tf.cast(predicted == labels, source_logits.dtype)
        return {name: tf.reduce_sum(value) for name, value in values.items() if value is not None}
