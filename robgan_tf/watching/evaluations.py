"""What is measured of the players now and then while they train, and what is kept of it."""


class JointEvaluations:
    """The evaluations of joint training.

    Args:
      gap_meter: a GapMeter of D; None where D has no class head.
      gap_every: steps between its measurements.
      quality_meter: a QualityMeter; None for none.
      quality_every: steps between its measurements.
      best: a BestCheckpoint of all models, or None.
    """

    def __init__(self, gap_meter, gap_every, quality_meter, quality_every, best):
        self._gap_meter = gap_meter
        self._gap_every = gap_every
        self._quality_meter = quality_meter
        self._quality_every = quality_every
        self._best = best

    def print_description(self):
        """Prints what is measured of G, if anything is."""
        if self._quality_meter is not None:
            print(self._quality_meter.description(), flush=True)

    def __call__(self, step, due):
        """Measures what is due and keeps the players if they are the best; see TrainingTask."""
        values, alarms = {}, {}
        if self._gap_meter is not None and due(self._gap_every):
            values.update(self._gap_meter())
        if self._quality_meter is not None and due(self._quality_every):
            quality, alarms = self._quality_meter(step)
            values.update(quality)
            if self._best is not None:
                self._best.offer(self._quality_meter.score(quality), step)
        return values, alarms
