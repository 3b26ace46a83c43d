"""Joint training as a task of the training loop: what each step reports and shows."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from robgan_tf.data import evenly_spaced_rows
from robgan_tf.data.sources import ImageSource
from robgan_tf.keras_versions import next_learning_rate
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.reporting import sample_sheet
from robgan_tf.runs.loop import Due
from robgan_tf.training.joint_step import JointStep
from robgan_tf.typing import Scalars
from robgan_tf.watching.attack_sheet import AttackPictures
from robgan_tf.watching.diagnostics import Diagnostics
from robgan_tf.watching.evaluations import JointEvaluations

SHEET_COLUMNS = 10
SHEET_ROWS = 20


class JointTask:
    """Joint training of the three players.

    Args:
      joint_step: the compiled step.
      source: an ImageSource whose first images are shown attacked; best not trained on.
      evaluations: the run's JointEvaluations.
    """

    def __init__(
        self, joint_step: JointStep, source: ImageSource, evaluations: JointEvaluations
    ) -> None:
        self._joint_step = joint_step
        self._diagnostics = Diagnostics(joint_step)
        self._class_names = source.class_names
        self._evaluations = evaluations
        discriminator, adversary = joint_step.players.discriminator, joint_step.adversary
        self._attack_pictures = AttackPictures(
            discriminator,
            adversary.attack,
            lambda labels: adversary.objective(discriminator, labels),
            source,
            joint_step.seed,
        )

    def train_step(self, batch: dict[str, tf.Tensor], step: tf.Tensor) -> Scalars:
        """Makes one step on a batch of `data.training_batches`."""
        return self._joint_step(batch["images"], batch["labels"], step)

    def measure(self, batch: dict[str, tf.Tensor], step: tf.Tensor) -> Scalars:
        """Measures the players on the step's first D batch; learning rates; what D has seen."""
        players = self._joint_step.players
        batches = step * self._joint_step.discriminator_updates
        return {
            **self._diagnostics(batch["images"], batch["labels"], step),
            "count/discriminator_batches": batches,
            "count/discriminator_updates": batches * self._joint_step.adversary.replays,
            "learning_rate/generator": next_learning_rate(players.generator_optimizer),
            "learning_rate/discriminator": next_learning_rate(players.discriminator_optimizer),
        }

    def evaluate(self, step: int, due: Due) -> tuple[dict[str, float], dict[str, str]]:
        """Measures what is due: D as a classifier, G as an image generator."""
        return self._evaluations(step, due)

    def pictures(self) -> dict[str, np.ndarray]:
        """Draws the sample sheet and the attacked images."""
        return {"samples": self._sample_sheet(), "attacks": self._attack_pictures.draw()}

    def main_losses(self, values: Mapping[str, float]) -> dict[str, float]:
        """The totals of D and G."""
        return {
            "D loss": values["loss_discriminator/total"],
            "G loss": values["loss_generator/total"],
        }

    def _sample_sheet(self) -> np.ndarray:
        """Samples of the averaged G for the same latents every time, one class a row."""
        generator = self._joint_step.players.average_generator
        count = max(generator.num_classes, 1)
        classes = evenly_spaced_rows(count, SHEET_ROWS).astype(np.int32)
        latents = tf.random.stateless_normal(
            [len(classes), SHEET_COLUMNS, generator.latent_size],
            derive_seed(self._joint_step.seed, Purpose.SAMPLE_SHEET),
        )
        rows = [
            generator(row, tf.fill([SHEET_COLUMNS], label), training=False).numpy()
            for row, label in zip(latents, classes, strict=True)
        ]
        names = [self._class_names[label] for label in classes] if generator.num_classes else [""]
        return sample_sheet(np.stack(rows), names)
