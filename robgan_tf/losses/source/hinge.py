"""Hinge loss, as in SN-GAN (Miyato et al., 2018)."""

import tensorflow as tf
from typing_extensions import override

from robgan_tf.losses.source_loss import SourceLoss

MARGIN = 1.0


class Hinge(SourceLoss):
    """max(0, 1 - s) for real images, max(0, 1 + s) for generated ones; G raises s itself.

    From the margin on, an image costs D nothing.
    """

    threshold = 0.0

    @override
    def discriminator_real(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(MARGIN - logits)

    @override
    def discriminator_fake(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(MARGIN + logits)

    @override
    def generator(self, logits: tf.Tensor) -> tf.Tensor:
        return -logits

    @override
    def realness(self, logits: tf.Tensor) -> tf.Tensor:
        """The part of the way from margin to margin."""
        return tf.clip_by_value(0.5 + 0.5 * logits / MARGIN, 0.0, 1.0)


CHOICE = Hinge()
