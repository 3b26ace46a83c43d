"""Adversarial training: cross-entropy on attacked images, equations (3), (6) and (10)."""

import tensorflow as tf
from typing_extensions import override

from robgan_tf.losses.adversarial import smoothed_class_loss
from robgan_tf.losses.training_objective import ObjectiveTerms, TrainingObjective


class AdversarialTraining(TrainingObjective):
    """-log p_y(x + delta), where delta maximises it (Madry et al., 2018; the paper's (3))."""

    free = True

    @override
    def terms(
        self,
        logits: tf.Tensor,
        clean_logits: tf.Tensor | None,
        labels: tf.Tensor,
        smoothing: tf.Tensor,
    ) -> ObjectiveTerms:
        losses = smoothed_class_loss(logits, labels, smoothing)
        return ObjectiveTerms(losses, losses, {})


CHOICE = AdversarialTraining
