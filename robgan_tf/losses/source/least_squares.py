"""Least squares, LSGAN (Mao et al., 2017), with 0 for generated and 1 for real."""

import tensorflow as tf
from typing_extensions import override

from robgan_tf.losses.source_loss import SourceLoss

# a, b and c of equation (9) of the paper: what D is to say of generated and of real images, and
# what G wants D to say of its own.
GENERATED, REAL, WANTED = 0.0, 1.0, 1.0


class LeastSquares(SourceLoss):
    """(s - 1)^2 / 2 for real images, s^2 / 2 for generated ones; G minimises (s - 1)^2 / 2.

    Unlike with cross-entropy, an image that D calls real still pulls on G while its logit is not 1.
    """

    threshold = (GENERATED + REAL) / 2.0

    @override
    def discriminator_real(self, logits: tf.Tensor) -> tf.Tensor:
        return 0.5 * tf.square(logits - REAL)

    @override
    def discriminator_fake(self, logits: tf.Tensor) -> tf.Tensor:
        return 0.5 * tf.square(logits - GENERATED)

    @override
    def generator(self, logits: tf.Tensor) -> tf.Tensor:
        return 0.5 * tf.square(logits - WANTED)

    @override
    def realness(self, logits: tf.Tensor) -> tf.Tensor:
        """The part of the way from the target of generated images to that of real ones."""
        return tf.clip_by_value((logits - GENERATED) / (REAL - GENERATED), 0.0, 1.0)


CHOICE = LeastSquares()
