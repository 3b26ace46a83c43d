"""Wasserstein: D is a critic, without a gradient penalty (Arjovsky et al., 2017)."""

import tensorflow as tf
from typing_extensions import override

from robgan_tf.losses.source_loss import SourceLoss


class Wasserstein(SourceLoss):
    """-s for real images, s for generated ones; G minimises -s.

    The difference of D's means estimates a distance of distributions only while D's slope is
    bounded. What bounds it here is spectral normalization, and the attack, which lowers s on real
    images as far as the slope lets it; there is no penalty and no clipping of weights, so that
    `ResNetDiscriminator.normalization = 'none'` leaves the loss without a lower bound.

    A critic's logit has no zero point, so none is called real by itself. Its loss is linear: D
    learns as much from an image however sure it is, and cannot be saturated.
    """

    @override
    def discriminator_real(self, logits: tf.Tensor) -> tf.Tensor:
        return -logits

    @override
    def discriminator_fake(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.identity(logits)

    @override
    def generator(self, logits: tf.Tensor) -> tf.Tensor:
        return -logits


CHOICE = Wasserstein()
