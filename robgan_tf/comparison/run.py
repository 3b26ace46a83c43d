"""A run as comparisons see it: its settings and its records, wherever it was made."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from robgan_tf.typing import JsonObject

ATTACK_STEPS = "ProjectedGradientDescent.steps"
SECONDS = "time/training_seconds"
# A step of the finetune command is an update of D too, or of what stands in its place.
UPDATE_COUNTS = ("count/discriminator_updates", "count/classifier_updates")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run as the comparison sees it.

    Attributes:
      configuration: name in the legend; runs of one name are seeds of one configuration.
      label: name in tables, of this run alone.
      config: flat dict of its settings.
      records: dicts with "step" and the metrics of that step, in the order of steps.
      seconds_per_step: what its seconds were computed from; None if they were measured in the run.
    """

    configuration: str
    label: str
    config: JsonObject
    records: list[JsonObject]
    seconds_per_step: float | None = None

    @property
    def is_joint(self) -> bool:
        """Whether it is a run of joint training, otherwise of the finetune command."""
        return "train.seed" in self.config

    @property
    def seed(self) -> int | None:
        """The seed of the run, None if its settings do not say."""
        return self.config.get("train.seed", self.config.get("finetune.seed"))

    @property
    def is_free(self) -> bool:
        """Whether it trains by free adversarial training."""
        return bool(self.config.get("TrainingAdversary.free") or self.config.get("finetune.free"))

    @property
    def has_seconds(self) -> bool:
        """Whether its time is known from its first step on."""
        # A run that began before time was recorded has it of its later sessions only.
        return all(SECONDS in record for record in self.records if record["step"] > 0)

    @property
    def milliseconds_per_update(self) -> float | None:
        """Training time of a D update with its share of G's, None where it is not known."""
        last = self.records[-1]
        updates = self.updates_at([last["step"]])[0]
        if not self.has_seconds or not updates:
            return None
        return 1000.0 * last[SECONDS] / updates

    def updates_at(self, steps: Sequence[float] | np.ndarray) -> np.ndarray:
        """D updates at any steps, in between and beyond those at which they were recorded.

        Args:
          steps: sequence of steps.

        Returns:
          float [number of steps].
        """
        steps = np.asarray(steps, float)
        name = next((name for name in UPDATE_COUNTS if name in self._recorded), None)
        known = [(record["step"], record[name]) for record in self.records if name in record]
        known = [(step, count) for step, count in known if step > 0]
        if not known:
            return steps * self._updates_per_step()
        known_steps, counts = zip((0, 0), *known, strict=True)
        beyond = steps * counts[-1] / known_steps[-1]
        return np.where(steps > known_steps[-1], beyond, np.interp(steps, known_steps, counts))

    @property
    def _recorded(self) -> set[str]:
        return {name for record in self.records for name in record}

    def _updates_per_step(self) -> int:
        """By the settings; records made before updates were counted have no other source."""
        replays = self.config.get(ATTACK_STEPS, 1) if self.is_free else 1
        return self.config.get("train.discriminator_updates", 1) * replays
