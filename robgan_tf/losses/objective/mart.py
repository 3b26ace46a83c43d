"""MART: boosted cross-entropy, and the divergence of misclassified images (Wang et al., 2020)."""

import tensorflow as tf
from typing_extensions import override

from robgan_tf.losses.adversarial import smoothed_class_loss
from robgan_tf.losses.training_objective import ObjectiveTerms, TrainingObjective, divergence


class Mart(TrainingObjective):
    """BCE(p(x + delta), y) + lambda (1 - p_y(x)) KL(p(x) || p(x + delta)).

    Wang et al., "Improving Adversarial Robustness Requires Revisiting Misclassified Examples"
    (ICLR 2020), equation (11), where the boosted cross-entropy is

        BCE(p, y) = -log p_y - log(1 - max over k != y of p_k)

    and delta maximises the cross-entropy from x + 0.001 N(0, 1) on images in [0, 1], 0.002 N(0, 1)
    on images in [-1, 1]. As in the authors' code gradients go through both predictions and the
    weight. Logarithms are exact; theirs adds 1e-4 to the second one's argument and 1e-12 to the
    divergence's, which shows where a probability is within 1e-3 of 1. lambda is
    `divergence_weight`, 5 in their training scripts.
    """

    uses_clean = True
    start_deviation = 0.002

    @override
    def terms(
        self,
        logits: tf.Tensor,
        clean_logits: tf.Tensor | None,
        labels: tf.Tensor,
        smoothing: tf.Tensor,
    ) -> ObjectiveTerms:
        attacked = smoothed_class_loss(logits, labels, smoothing)
        margin = _against_strongest_wrong_class(logits, labels)
        true = tf.gather(tf.nn.softmax(clean_logits), labels, batch_dims=1)
        misclassified = (1.0 - true) * divergence(clean_logits, logits)
        return ObjectiveTerms(
            attacked + margin + self.divergence_weight * misclassified,
            attacked,
            {"margin": margin, "divergence": misclassified},
        )


def _against_strongest_wrong_class(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log(1 - p_k) of the likeliest wrong class k, [N]: from logits, finite however sure."""
    classes, lowest = logits.shape[1], logits.dtype.min
    of_label = tf.one_hot(labels, classes, on_value=True, off_value=False)
    strongest = tf.argmax(tf.where(of_label, lowest, logits), axis=1)
    of_strongest = tf.one_hot(strongest, classes, on_value=True, off_value=False)
    others = tf.reduce_logsumexp(tf.where(of_strongest, lowest, logits), axis=1)
    return tf.reduce_logsumexp(logits, axis=1) - others


CHOICE = Mart
