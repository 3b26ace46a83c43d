"""TRADES: cross-entropy on clean images plus beta times the divergence (Zhang et al., 2019)."""

import tensorflow as tf
from typing_extensions import override

from robgan_tf.losses.adversarial import smoothed_class_loss
from robgan_tf.losses.training_objective import ObjectiveTerms, TrainingObjective, divergence


class Trades(TrainingObjective):
    """-log p_y(x) + beta KL(p(x) || p(x + delta)), where delta maximises the divergence.

    Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy" (ICML
    2019), equation (5), as in the authors' code: the gradient of the divergence goes to both
    predictions, and the attack starts from x + 0.001 N(0, 1) on images in [0, 1], which is
    0.002 N(0, 1) on images in [-1, 1]: at x itself the divergence has no gradient. beta is
    `divergence_weight`, 1 or 6 in their experiments.
    """

    uses_clean = True
    start_deviation = 0.002
    free = True

    @override
    def attack_losses(
        self, logits: tf.Tensor, clean_logits: tf.Tensor | None, labels: tf.Tensor
    ) -> tf.Tensor:
        return divergence(clean_logits, logits)

    @override
    def terms(
        self,
        logits: tf.Tensor,
        clean_logits: tf.Tensor | None,
        labels: tf.Tensor,
        smoothing: tf.Tensor,
    ) -> ObjectiveTerms:
        clean = smoothed_class_loss(clean_logits, labels, smoothing)
        apart = divergence(clean_logits, logits)
        return ObjectiveTerms(
            clean + self.divergence_weight * apart,
            smoothed_class_loss(logits, labels, smoothing),
            {"clean_class": clean, "divergence": apart},
        )


CHOICE = Trades
