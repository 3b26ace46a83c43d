"""What a loss of the source head is: how D and G are judged on "real or generated?"."""

import abc

import tensorflow as tf


class SourceLoss(abc.ABC):
    """A loss of the source head, per sample.

    Logits are [N], the output of S, and so is what each function returns.

    Attributes:
      threshold: the logit above which D calls an image real; None where a logit alone says
        nothing.
    """

    threshold: float | None = None

    @abc.abstractmethod
    def discriminator_real(self, logits: tf.Tensor) -> tf.Tensor:
        """D's loss on real images, which the attack maximises too."""

    @abc.abstractmethod
    def discriminator_fake(self, logits: tf.Tensor) -> tf.Tensor:
        """D's loss on generated images."""

    @abc.abstractmethod
    def generator(self, logits: tf.Tensor) -> tf.Tensor:
        """G's loss on its images."""

    def realness(self, logits: tf.Tensor) -> tf.Tensor | None:
        """How certain D is that images are real, in [0, 1].

        At 0 and at 1 D has nothing more to learn from an image of the right kind, which is what
        the alarm about a saturated D looks for. None where the loss never stops teaching.
        """
        del logits
        return None
