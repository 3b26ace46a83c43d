"""What an objective of stage 2 is: what its attack maximises, and what its update minimises."""

import abc
from typing import ClassVar, NamedTuple

import tensorflow as tf

from robgan_tf.losses.adversarial import class_loss


class ObjectiveTerms(NamedTuple):
    """Per-sample values of an objective, each [N].

    Attributes:
      total: what is minimised.
      attacked_class: cross-entropy on the attacked images, part of `total` or not: what runs of
        all objectives are compared by.
      others: further terms by name, unweighted: each is a metric of the run.
    """

    total: tf.Tensor
    attacked_class: tf.Tensor
    others: dict[str, tf.Tensor]


class TrainingObjective(abc.ABC):
    """An objective of stage 2, in terms of class logits alone.

    Attributes:
      divergence_weight: of the divergence between predictions on clean and on attacked images, in
        an objective that has one.
      uses_clean: whether it needs the class logits of the clean images too. The update then passes
        them through the network in training mode, before and apart from the attacked ones, so
        that batch normalization takes statistics of each; the attack passes them once, in
        inference mode.
      start_deviation: standard deviation of the normal noise from which the attack starts, on
        images in [-1, 1]; None for where the attack itself starts.
      free: whether the gradient of `terms` with respect to an attacked image has the direction of
        that of `attack_losses`, which free adversarial training takes it for.
    """

    uses_clean: ClassVar[bool] = False
    start_deviation: ClassVar[float | None] = None
    free: ClassVar[bool] = False

    def __init__(self, divergence_weight: float = 6.0) -> None:
        self.divergence_weight = divergence_weight

    def attack_losses(
        self, logits: tf.Tensor, clean_logits: tf.Tensor | None, labels: tf.Tensor
    ) -> tf.Tensor:
        """What the attack maximises: cross-entropy, unless the objective says otherwise.

        Args:
          logits: [N, K] of the images under attack, in inference mode.
          clean_logits: [N, K] of the clean ones, constants; None unless `uses_clean`.
          labels: [N].

        Returns:
          [N] values.
        """
        del clean_logits
        return class_loss(logits, labels)

    @abc.abstractmethod
    def terms(
        self,
        logits: tf.Tensor,
        clean_logits: tf.Tensor | None,
        labels: tf.Tensor,
        smoothing: tf.Tensor,
    ) -> ObjectiveTerms:
        """What the update minimises, per sample.

        Args:
          logits: [N, K] of the attacked images, in training mode.
          clean_logits: [N, K] of the clean ones, in training mode; None unless `uses_clean`.
          labels: [N].
          smoothing: [N], the probability that cross-entropy shares out evenly over all classes.
        """


def divergence(clean_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Kullback-Leibler divergence KL(p(clean) || p(attacked)) of predictions, per sample.

    From differences of logarithms alone, so that it is finite for logits of any size.

    Args:
      clean_logits: [N, K].
      logits: [N, K] of the attacked images.

    Returns:
      [N] values, 0 where both predict the same.
    """
    clean = tf.nn.log_softmax(clean_logits)
    return tf.reduce_sum(tf.exp(clean) * (clean - tf.nn.log_softmax(logits)), axis=1)
