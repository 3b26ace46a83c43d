"""The losses of D and G, per sample: equations (8) and (9) of the paper.

Both are a source term (real or generated?) and a class term (which class?):

- equation (9), `form="split"`: D minimises source(real) + source(fake) + class(real), G minimises
  source(fake, labels flipped) + class(fake). The class head of D never learns from fakes.
- equation (8), `form="ac_gan"`: as above, with class(fake) in D's loss too.

Here losses are minimised, so each is the negative of the paper's log-likelihood.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from robgan_tf.choices import SOURCE_LOSSES
from robgan_tf.config.groups import LOSS_FORMS, LOSS_WEIGHT_SETS
from robgan_tf.losses.source_loss import SourceLoss


class LossWeights(NamedTuple):
    """Weights of the six terms."""

    real_source: float
    real_class: float
    fake_source: float
    fake_class: float
    generator_source: float
    generator_class: float


# The paper's equations carry no weights; the authors' code halves some terms.
LOSS_WEIGHTS = {
    ("split", "paper"): LossWeights(1.0, 1.0, 1.0, 0.0, 1.0, 1.0),
    ("split", "official_code"): LossWeights(0.5, 0.5, 1.0, 0.0, 0.5, 0.5),
    ("ac_gan", "paper"): LossWeights(1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    ("ac_gan", "official_code"): LossWeights(0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
}


class LossTerms(NamedTuple):
    """Per-sample terms of one loss, each [N].

    Attributes:
      source: the unweighted source term.
      classification: the unweighted class term; zeros where D has no class head.
      total: their weighted sum, what is minimised.
    """

    source: tf.Tensor
    classification: tf.Tensor
    total: tf.Tensor


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """The losses of D and G for one choice of equation, weights and source term.

    Attributes:
      form: "split" for equation (9), "ac_gan" for equation (8).
      weights: "paper" (all 1) or "official_code".
      source: name of a module of `losses.source`, such as "bce", or a SourceLoss.

    Raises:
      ValueError: if a choice does not exist.
    """

    form: str = "split"
    weights: str = "paper"
    source: str | SourceLoss = "bce"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("form", self.form, LOSS_FORMS),
            ("weights", self.weights, LOSS_WEIGHT_SETS),
        ):
            if value not in choices:
                raise ValueError(
                    f"loss {name} {value!r} does not exist; choose one of {', '.join(choices)}"
                )
        if not isinstance(self.source, SourceLoss) and self.source not in SOURCE_LOSSES:
            raise ValueError(f"loss source {SOURCE_LOSSES.unknown(self.source)}")

    @property
    def of_source(self) -> SourceLoss:
        """The `SourceLoss` in use."""
        if isinstance(self.source, SourceLoss):
            return self.source
        return SOURCE_LOSSES.get(self.source)

    @property
    def term_weights(self) -> LossWeights:
        """The `LossWeights` in use."""
        return LOSS_WEIGHTS[self.form, self.weights]

    def discriminator_real(
        self, source_logits: tf.Tensor, class_logits: tf.Tensor | None, labels: tf.Tensor
    ) -> LossTerms:
        """D's loss on real (attacked) images; also what the attack maximises in training.

        Args:
          source_logits: [N] output of S.
          class_logits: [N, K] output of C, or None.
          labels: [N] true classes.

        Returns:
          LossTerms.
        """
        weights = self.term_weights
        source = self.of_source.discriminator_real(source_logits)
        return _terms(source, class_logits, labels, weights.real_source, weights.real_class)

    def discriminator_fake(
        self, source_logits: tf.Tensor, class_logits: tf.Tensor | None, labels: tf.Tensor
    ) -> LossTerms:
        """D's loss on generated images; `labels` are the classes G was asked for.

        Args:
          source_logits: [N] output of S.
          class_logits: [N, K] output of C, or None.
          labels: [N] the classes G was asked for.
        """
        weights = self.term_weights
        source = self.of_source.discriminator_fake(source_logits)
        if not weights.fake_class:
            class_logits = None
        return _terms(source, class_logits, labels, weights.fake_source, weights.fake_class)

    def generator(
        self, source_logits: tf.Tensor, class_logits: tf.Tensor | None, labels: tf.Tensor
    ) -> LossTerms:
        """G's loss on its images; `labels` are the classes G was asked for.

        Args:
          source_logits: [N] output of S.
          class_logits: [N, K] output of C, or None.
          labels: [N] the classes G was asked for.
        """
        weights = self.term_weights
        source = self.of_source.generator(source_logits)
        return _terms(
            source, class_logits, labels, weights.generator_source, weights.generator_class
        )


def class_loss(class_logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of the class head per sample: -log P(C = label | image).

    Args:
      class_logits: [N, K].
      labels: [N] integers in [0, K).

    Returns:
      [N] losses.
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=class_logits)


def smoothed_class_loss(
    class_logits: tf.Tensor, labels: tf.Tensor, smoothing: tf.Tensor
) -> tf.Tensor:
    """Cross-entropy with labels smoothed towards all classes evenly, per sample.

    Args:
      class_logits: [N, K].
      labels: [N] integers in [0, K).
      smoothing: [N], the probability that is shared out evenly.

    Returns:
      [N] losses: (1 - smoothing) * -log P(label) + smoothing * mean over k of -log P(k).
    """
    even = tf.reduce_logsumexp(class_logits, axis=1) - tf.reduce_mean(class_logits, axis=1)
    return (1.0 - smoothing) * class_loss(class_logits, labels) + smoothing * even


def _terms(
    source: tf.Tensor,
    class_logits: tf.Tensor | None,
    labels: tf.Tensor,
    source_weight: float,
    class_weight: float,
) -> LossTerms:
    if class_logits is None:
        return LossTerms(source, tf.zeros_like(source), source_weight * source)
    classification = class_loss(class_logits, labels)
    return LossTerms(source, classification, source_weight * source + class_weight * classification)
