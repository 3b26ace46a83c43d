"""How runs converge: a measure against steps, D updates and training seconds (Figure 8).

Computations on the records of runs; `comparison.table` renders what they give.
"""

import dataclasses
import math
import statistics

import numpy as np

from robgan_tf.comparison.configurations import ATTACK_STEPS, attack_shares
from robgan_tf.comparison.measures import LOWER, better_direction
from robgan_tf.errors import UserError
from robgan_tf.quality.alarms import alarms_seen

SECONDS = "time/training_seconds"
# A step of the finetune command is an update of D too, or of what stands in its place.
UPDATE_COUNTS = ("count/discriminator_updates", "count/classifier_updates")
AXES = ("step", "discriminator_updates", "seconds")


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
    config: dict
    records: list
    seconds_per_step: float | None = None

    @property
    def is_joint(self):
        """Whether it is a run of joint training, otherwise of the finetune command."""
        return "train.seed" in self.config

    @property
    def seed(self):
        """The seed of the run, None if its settings do not say."""
        return self.config.get("train.seed", self.config.get("finetune.seed"))

    @property
    def is_free(self):
        """Whether it trains by free adversarial training."""
        return bool(self.config.get("TrainingAdversary.free") or self.config.get("finetune.free"))

    @property
    def has_seconds(self):
        """Whether its time is known from its first step on."""
        # A run that began before time was recorded has it of its later sessions only.
        return all(SECONDS in record for record in self.records if record["step"] > 0)

    @property
    def milliseconds_per_update(self):
        """Training time of a D update with its share of G's, None where it is not known."""
        last = self.records[-1]
        updates = self.updates_at([last["step"]])[0]
        if not self.has_seconds or not updates:
            return None
        return 1000.0 * last[SECONDS] / updates

    def updates_at(self, steps):
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
    def _recorded(self):
        return {name for record in self.records for name in record}

    def _updates_per_step(self):
        """By the settings; records made before updates were counted have no other source."""
        replays = self.config.get(ATTACK_STEPS, 1) if self.is_free else 1
        return self.config.get("train.discriminator_updates", 1) * replays


@dataclasses.dataclass(frozen=True)
class Curve:
    """A measure of one run: where and what.

    Attributes:
      run: the Run.
      step: float [N], of the records in which the measure is.
      discriminator_updates: float [N].
      seconds: float [N], or None where the run's time is not known.
      values: float [N].
    """

    run: Run
    step: np.ndarray
    discriminator_updates: np.ndarray
    seconds: np.ndarray | None
    values: np.ndarray

    def best(self, direction):
        """Index of the best value, the first of equals."""
        return int(np.argmin(self.values) if direction == LOWER else np.argmax(self.values))

    def first_reach(self, score, direction):
        """Where the curve first reaches a score, linear between the records on either side.

        Args:
          score: the value to reach.
          direction: "lower" or "higher", what is better.

        Returns:
          Dict from the name of each axis to the place (None where there are no seconds), and
          "is_bound": True where the first record has reached it already and the run may have done
          so earlier. None if the score is not reached.
        """
        sign = -1.0 if direction == LOWER else 1.0
        reached = np.flatnonzero(sign * self.values >= sign * score)
        if not len(reached):
            return None
        after = int(reached[0])
        before = max(after - 1, 0)
        share = 1.0
        if after > 0:
            share = (score - self.values[before]) / (self.values[after] - self.values[before])
        places = {}
        for axis in AXES:
            track = getattr(self, axis)
            places[axis] = (
                None
                if track is None
                else float(track[before] + share * (track[after] - track[before]))
            )
        return {**places, "is_bound": after == 0}


def curve_of(run, name):
    """The Curve of a measure that the run has."""
    records = [record for record in run.records if name in record]
    steps = np.array([record["step"] for record in records], float)
    seconds = None
    if run.has_seconds:
        seconds = np.array([record.get(SECONDS, 0.0) for record in records], float)
        # A killed run takes up its clock at its checkpoint, before what it had recorded since.
        seconds = np.maximum.accumulate(seconds)
    values = np.array([record[name] for record in records], float)
    return Curve(run, steps, run.updates_at(steps), seconds, values)


def by_configuration(curves):
    """Dict from the configuration's name to its Curves, in the order given."""
    groups = {}
    for curve in curves:
        groups.setdefault(curve.run.configuration, []).append(curve)
    return groups


def mean_curve(curves, axis):
    """The mean of several curves where all of them are, linear between their points.

    Args:
      curves: Curves.
      axis: one of AXES; all the curves must have it.

    Returns:
      (places, means), float [N] each; N is 0 where the curves do not overlap.
    """
    tracks = [getattr(curve, axis) for curve in curves]
    start, end = max(track[0] for track in tracks), min(track[-1] for track in tracks)
    places = np.unique(np.concatenate(tracks))
    places = places[(places >= start) & (places <= end)]
    values = [
        np.interp(places, track, curve.values) for track, curve in zip(tracks, curves, strict=True)
    ]
    return places, np.mean(values, axis=0)


def worst_of_best(curves, direction):
    """The worst of the runs' best values: the best score that every run reaches."""
    best = [float(curve.values[curve.best(direction)]) for curve in curves]
    return max(best) if direction == LOWER else min(best)


def comparison(name, curves, score=None):
    """Compares runs by one measure.

    Args:
      name: of the measure.
      curves: its Curves, one a run.
      score: to be reached; the worst of the runs' best values if None.

    Returns:
      Dict that is written as JSON: direction, score, rows of runs and of configurations. A
      configuration's reach is the median over its seeds, at most that where "is_bound"; its ratio
      is that to the first one's, exact or a bound as "ratio_is" says.

    Raises:
      UserError: if a score is given for a measure of which no direction is better.
    """
    direction = better_direction(name)
    if direction is None and score is not None:
        raise UserError(
            f"{name} is better neither higher nor lower, so that no score can be reached: leave "
            "out --reach"
        )
    is_given = score is not None
    if direction and not is_given:
        score = worst_of_best(curves, direction)
    rows = [_run_row(curve, direction, score) for curve in curves]
    return {
        "measure": name,
        "better": direction,
        "score": score,
        "score_is_given": is_given,
        "runs": rows,
        "configurations": _configuration_rows(rows) if direction else [],
    }


def _run_row(curve, direction, score):
    run = curve.run
    row = {
        "run": run.label,
        "configuration": run.configuration,
        "seed": run.seed,
        "last": float(curve.values[-1]),
        "last_step": int(curve.step[-1]),
    }
    if direction:
        best = curve.best(direction)
        row |= {"best": float(curve.values[best]), "best_step": int(curve.step[best])}
        row["reach"] = curve.first_reach(score, direction)
        row["has_seconds"] = run.has_seconds
    return row


def _configuration_rows(rows):
    groups = {}
    for row in rows:
        groups.setdefault(row["configuration"], []).append(row)
    medians = {name: _median_reach(group) for name, group in groups.items()}
    bounds = {
        name: any(row["reach"] and row["reach"]["is_bound"] for row in group)
        for name, group in groups.items()
    }
    first = next(iter(groups))
    return [
        {
            "configuration": name,
            "seeds": len(group),
            "seeds_that_reach": sum(row["reach"] is not None for row in group),
            "reach": {axis: _finite(value) for axis, value in medians[name].items()},
            # A seed has reached the score already where it was first measured.
            "is_bound": bounds[name],
            "ratio": {axis: _ratio(medians[name][axis], medians[first][axis]) for axis in AXES},
            "ratio_is": _kind_of_ratio(bounds[name], bounds[first], name == first),
        }
        for name, group in groups.items()
    ]


def _kind_of_ratio(is_bound, first_is_bound, is_first):
    """What a ratio is: "exact", a bound on one side, or "unknown" where both places are bounds."""
    if is_first or not (is_bound or first_is_bound):
        return "exact"
    if is_bound and first_is_bound:
        return "unknown"
    return "at most" if is_bound else "at least"


def _median_reach(rows):
    """Dict from axis to the median; a run that does not reach the score takes for ever."""
    medians = {}
    for axis in AXES:
        places = [math.inf if row["reach"] is None else row["reach"][axis] for row in rows]
        is_known = axis != "seconds" or all(row["has_seconds"] for row in rows)
        medians[axis] = statistics.median(places) if is_known else None
    return medians


def _finite(value):
    return value if value is not None and math.isfinite(value) else None


def _ratio(value, first):
    if _finite(value) is None or not _finite(first):
        return None
    return value / first


def report(runs, comparisons):
    """What is written as JSON and, by `markdown`, for people.

    Args:
      runs: the Runs.
      comparisons: list of what `comparison` returned.
    """
    return {
        "measures": comparisons,
        "milliseconds_per_discriminator_update": {
            run.label: run.milliseconds_per_update for run in runs
        },
        "seconds_computed_from_seconds_per_step": {
            run.label: run.seconds_per_step for run in runs if run.seconds_per_step is not None
        },
        "attack_shares": attack_shares(runs),
        "alarms": {run.label: alarms_seen(run.records) for run in runs},
    }
