"""Binary cross-entropy, with the non-saturating form for G (the paper's)."""

import tensorflow as tf
from typing_extensions import override

from robgan_tf.losses.source_loss import SourceLoss


class BinaryCrossEntropy(SourceLoss):
    """-log sigmoid(s) for real images, -log(1 - sigmoid(s)) for generated ones.

    G minimises the loss with flipped labels, -log sigmoid(s) (Goodfellow et al., 2014, section 3).
    """

    threshold = 0.0

    @override
    def discriminator_real(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.softplus(-logits)

    @override
    def discriminator_fake(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.softplus(logits)

    @override
    def generator(self, logits: tf.Tensor) -> tf.Tensor:
        return self.discriminator_real(logits)

    @override
    def realness(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(logits)


CHOICE = BinaryCrossEntropy()
