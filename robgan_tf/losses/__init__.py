"""Losses of the three players: equations (8) and (9), class losses, local Lipschitz values."""

from robgan_tf.losses.adversarial import (
    AdversarialLoss,
    class_loss,
    smoothed_class_loss,
)
from robgan_tf.losses.lipschitz import local_lipschitz_values
from robgan_tf.losses.source_loss import SourceLoss
from robgan_tf.losses.training_objective import ObjectiveTerms, TrainingObjective, divergence

__all__ = [
    "AdversarialLoss",
    "ObjectiveTerms",
    "SourceLoss",
    "TrainingObjective",
    "class_loss",
    "divergence",
    "local_lipschitz_values",
    "smoothed_class_loss",
]
