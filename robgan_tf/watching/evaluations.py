"""What is measured of the players now and then while they train, and what is kept of it."""

from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.loop import Due
from robgan_tf.watching.gap import GapMeter
from robgan_tf.watching.quality import QualityMeter


class JointEvaluations:
    """The evaluations of joint training.

    Args:
      gap_meter: a GapMeter of D; None where D has no class head.
      gap_every: steps between its measurements.
      quality_meter: a QualityMeter; None for none.
      quality_every: steps between its measurements.
      best: a BestCheckpoint of all models, or None.
    """

    def __init__(
        self,
        gap_meter: GapMeter | None,
        gap_every: int,
        quality_meter: QualityMeter | None,
        quality_every: int,
        best: BestCheckpoint | None,
    ) -> None:
        self._gap_meter = gap_meter
        self._gap_every = gap_every
        self._quality_meter = quality_meter
        self._quality_every = quality_every
        self._best = best

    def description(self) -> str | None:
        """What is measured of G, for people, if anything is."""
        return None if self._quality_meter is None else self._quality_meter.description()

    def __call__(self, step: int, due: Due) -> tuple[dict[str, float], dict[str, str]]:
        """Measures what is due and keeps the players if they are the best; see TrainingTask."""
        values: dict[str, float] = {}
        alarms: dict[str, str] = {}
        if self._gap_meter is not None and due(self._gap_every):
            values.update(self._gap_meter())
        if self._quality_meter is not None and due(self._quality_every):
            quality, alarms = self._quality_meter(step)
            values.update(quality)
            if self._best is not None:
                self._best.offer(self._quality_meter.score(quality), step)
        return values, alarms
