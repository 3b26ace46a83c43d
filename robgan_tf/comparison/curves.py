"""How runs converge: a measure against steps, D updates and training seconds (Figure 8).

Computations on the records of runs; `comparison.table` renders what they give.
"""

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from robgan_tf.comparison.configurations import attack_shares
from robgan_tf.comparison.measures import better_direction
from robgan_tf.comparison.run import SECONDS, Run
from robgan_tf.errors import UserError
from robgan_tf.quality.alarms import alarms_seen
from robgan_tf.quality.measure import LOWER
from robgan_tf.typing import JsonObject

AXES = ("step", "discriminator_updates", "seconds")


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

    def best(self, direction: str | None) -> int:
        """Index of the best value, the first of equals."""
        return int(np.argmin(self.values) if direction == LOWER else np.argmax(self.values))

    def first_reach(self, score: float, direction: str | None) -> JsonObject | None:
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


def curve_of(run: Run, name: str) -> Curve:
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


def by_configuration(curves: Iterable[Curve]) -> dict[str, list[Curve]]:
    """Dict from the configuration's name to its Curves, in the order given."""
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(curve.run.configuration, []).append(curve)
    return groups


def mean_curve(curves: Sequence[Curve], axis: str) -> tuple[np.ndarray, np.ndarray]:
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


def worst_of_best(curves: Sequence[Curve], direction: str | None) -> float:
    """The worst of the runs' best values: the best score that every run reaches."""
    best = [float(curve.values[curve.best(direction)]) for curve in curves]
    return max(best) if direction == LOWER else min(best)


def comparison(name: str, curves: Sequence[Curve], score: float | None = None) -> JsonObject:
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


def _run_row(curve: Curve, direction: str | None, score: float | None) -> JsonObject:
    run = curve.run
    row: JsonObject = {
        "run": run.label,
        "configuration": run.configuration,
        "seed": run.seed,
        "last": float(curve.values[-1]),
        "last_step": int(curve.step[-1]),
    }
    if direction and score is not None:
        best = curve.best(direction)
        row |= {"best": float(curve.values[best]), "best_step": int(curve.step[best])}
        row["reach"] = curve.first_reach(score, direction)
        row["has_seconds"] = run.has_seconds
    return row


def _configuration_rows(rows: Sequence[JsonObject]) -> list[JsonObject]:
    groups: dict[str, list[JsonObject]] = {}
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


def _kind_of_ratio(is_bound: bool, first_is_bound: bool, is_first: bool) -> str:
    """What a ratio is: "exact", a bound on one side, or "unknown" where both places are bounds."""
    if is_first or not (is_bound or first_is_bound):
        return "exact"
    if is_bound and first_is_bound:
        return "unknown"
    return "at most" if is_bound else "at least"


def _median_reach(rows: Sequence[JsonObject]) -> dict[str, float | None]:
    """Dict from axis to the median; a run that does not reach the score takes for ever."""
    medians = {}
    for axis in AXES:
        places = [math.inf if row["reach"] is None else row["reach"][axis] for row in rows]
        is_known = axis != "seconds" or all(row["has_seconds"] for row in rows)
        medians[axis] = statistics.median(places) if is_known else None
    return medians


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _ratio(value: float | None, first: float | None) -> float | None:
    value, first = _finite(value), _finite(first)
    return value / first if value is not None and first else None


def report(runs: Sequence[Run], comparisons: Sequence[JsonObject]) -> JsonObject:
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
