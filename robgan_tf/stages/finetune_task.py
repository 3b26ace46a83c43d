"""Training of the classifier as a task of the training loop, with the best checkpoint kept."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from robgan_tf.data.sources import ImageSource
from robgan_tf.keras_versions import next_learning_rate
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.loop import Due
from robgan_tf.training.finetune_loss import ACCURACIES, LOSSES
from robgan_tf.training.finetune_step import FinetuneStep
from robgan_tf.typing import LabelledImages, Scalars
from robgan_tf.watching.attack_sheet import AttackPictures
from robgan_tf.watching.gap import GapMeter


class FinetuneTask:
    """Fine-tuning or adversarial training.

    Args:
      finetune_step: the compiled step.
      source: an ImageSource whose first images are shown attacked; best not trained on.
      gap_meter: a GapMeter of the model that is measured.
      gap_every: steps between its measurements.
      best: a BestCheckpoint; None where nothing is evaluated.
    """

    def __init__(
        self,
        finetune_step: FinetuneStep,
        source: ImageSource,
        gap_meter: GapMeter,
        gap_every: int,
        best: BestCheckpoint | None,
    ) -> None:
        self._step = finetune_step
        self._gap_meter = gap_meter
        self._gap_every = gap_every
        self._best = best
        model = finetune_step.players.measured
        self._attack_pictures = AttackPictures(
            model,
            finetune_step.attack,
            lambda labels: lambda x: class_loss(model(x, training=False)[1], labels),
            source,
            finetune_step.seed,
        )

    def train_step(
        self, batch: tuple[LabelledImages, LabelledImages | None], step: tf.Tensor
    ) -> Scalars:
        """Makes one step on a pair of batches, real and generated (None without any)."""
        return self._step(*batch, step)

    def measure(
        self, batch: tuple[LabelledImages, LabelledImages | None], step: tf.Tensor
    ) -> Scalars:
        """The learning rate, the radius, and how many updates have been made."""
        del batch
        optimizer = self._step.players.classifier_optimizer
        return {
            "learning_rate/classifier": next_learning_rate(optimizer),
            "attack/epsilon": self._step.epsilon(step),
            "count/classifier_updates": step * self._step.replays,
        }

    def evaluate(self, step: int, due: Due) -> tuple[dict[str, float], dict[str, str]]:
        """Measures the gap, and keeps the model if none withstood the attack better."""
        if not due(self._gap_every):
            return {}, {}
        values = self._gap_meter()
        assert self._best is not None, "who evaluates keeps the best"
        self._best.offer(values.get("gap/validation_attacked"), step)
        return values, {}

    def pictures(self) -> dict[str, np.ndarray]:
        """Draws the attacked images."""
        return {"attacks": self._attack_pictures.draw()}

    def main_losses(self, values: Mapping[str, float]) -> dict[str, float]:
        """The loss and accuracy on attacked real images."""
        return {
            "loss": values[LOSSES[0]],
            "accuracy under attack": values[ACCURACIES[0]],
        }
