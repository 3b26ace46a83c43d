"""What an experiment has found: the records of its runs, and what is read off them."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import scipy.stats

from robgan_tf.comparison import outcomes
from robgan_tf.comparison.curves import Curve, curve_of
from robgan_tf.comparison.run import Run
from robgan_tf.pages.run_source import RunSource
from robgan_tf.reproduction.experiment import Experiment
from robgan_tf.reproduction.measured import find
from robgan_tf.reproduction.state import radii_of
from robgan_tf.robustness.paired import paired_difference
from robgan_tf.typing import JsonObject

_LAST_POINTS = 5  # of a curve of image quality, that its end is judged by


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much better one configuration is than another, of one seed.

    Attributes:
      seed: of both runs.
      value: positive where the first is better.
      low: of its 95 % interval.
      high: of it.
    """

    seed: int
    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Results:
    """The records of an experiment's runs.

    Attributes:
      experiment: it.
      sources: dict from name and seed to what the record of the run holds; none of unfinished runs.
    """

    experiment: Experiment
    sources: Mapping[str, Mapping[int, RunSource]]

    def evaluation(self, name: str, seed: int, kind: str) -> JsonObject | None:
        """An evaluation of accuracy under attack; None if there is none.

        Args:
          name: of the configuration.
          seed: of the run.
          kind: "last", "best" or "train".
        """
        source = self.sources.get(name, {}).get(seed)
        if source is None:
            return None
        return find(source.evaluations, kind, radii_of(self.experiment, kind))

    def accuracies(self, name: str, kind: str, radius: float) -> list[float]:
        """Accuracies of all seeds under an attack of a radius."""
        found = []
        for seed in self.sources.get(name, {}):
            evaluation = self.evaluation(name, seed, kind)
            if evaluation is not None:
                rows = [x["accuracy"] for x in evaluation["radii"] if x["epsilon"] == radius]
                found += rows
        return found

    def paired(self, first: tuple[str, str], second: tuple[str, str]) -> list[Difference]:
        """How many more images the first withstands than the second, seed by seed.

        Args:
          first: name and kind of the evaluation.
          second: the same of the other.

        Returns:
          A difference of each seed in which both were given the same images and say of each
          whether it was withstood.
        """
        found = []
        for seed in sorted(self.sources.get(first[0], {})):
            pair = self._withstood(first, seed), self._withstood(second, seed)
            if pair[0] is None or pair[1] is None or pair[0][0] != pair[1][0]:
                continue
            difference = paired_difference(pair[0][1], pair[1][1])
            found.append(Difference(seed, difference.difference, *difference.interval_95))
        return found

    def _withstood(self, what: tuple[str, str], seed: int) -> tuple[str, np.ndarray] | None:
        """What tells the images from others, and which were withstood."""
        evaluation = self.evaluation(what[0], seed, what[1])
        if evaluation is None or outcomes.KEY not in evaluation:
            return None
        found = evaluation[outcomes.KEY]
        withstood = outcomes.withstood(found, self.experiment.scale.radius)
        return None if withstood is None else (found["images"], withstood)

    def smaller_gaps(self, first: str, second: str) -> list[Difference]:
        """By how much the first's gap, training less test accuracy, is the smaller one.

        The gaps' difference is that of the second's advance on training images and that on test
        images, each paired; the two sets of images are independent.

        Args:
          first: name of a configuration.
          second: of the other.
        """
        found = []
        of_test = {x.seed: x for x in self.paired((second, "last"), (first, "last"))}
        for train in self.paired((second, "train"), (first, "train")):
            test = of_test.get(train.seed)
            if test is None:
                continue
            value = train.value - test.value
            half = math.hypot(*((x.high - x.low) / 2.0 for x in (train, test)))
            found.append(Difference(train.seed, value, value - half, value + half))
        return found

    def measure(self) -> str | None:
        """The full name of the Fréchet distance that all runs of Figure 8 have; None without."""
        common: set[str] | None = None
        for name, plan in self.experiment.plans.items():
            if "figure_8" not in plan.items:
                continue
            for source in self.sources.get(name, {}).values():
                own = {x for record in source.records for x in record if x.startswith("fid/")}
                common = own if common is None else common & own
        return min(common) if common else None

    def curves(self, name: str, measure: str) -> dict[int, Curve]:
        """The curves of a measure of all seeds of a configuration."""
        title = self.experiment.plans[name].title
        return {
            seed: curve_of(
                Run(title, f"{title}, seed {seed}", x.config, x.records, x.seconds_per_step),
                measure,
            )
            for seed, x in sorted(self.sources.get(name, {}).items())
        }

    def lower(
        self, first: str, second: str, axis: str = "step", only_last: bool = False
    ) -> list[Difference]:
        """How much lower the first's Fréchet distance is, at equal steps or seconds.

        The interval is that of Student's t over the places where both were measured. They are of
        one run, and so not independent: it is that of the mean over the run.

        Args:
          first: name of a configuration.
          second: of the other.
          axis: "step" or "seconds".
          only_last: whether only the last five places count.
        """
        measure = self.measure()
        if measure is None:
            return []
        ones, others = self.curves(first, measure), self.curves(second, measure)
        found = []
        for seed in sorted(set(ones) & set(others)):
            values = _differences(ones[seed], others[seed], axis)
            values = values[-_LAST_POINTS:] if only_last else values
            if len(values) < 3:
                continue
            mean = float(values.mean())
            error = float(values.std(ddof=1)) / math.sqrt(len(values))
            half = float(scipy.stats.t.ppf(0.975, len(values) - 1)) * error
            found.append(Difference(seed, mean, mean - half, mean + half))
        return found


def _differences(one: Curve, other: Curve, axis: str) -> np.ndarray:
    """How much lower one is at its own places, where the other is known."""
    places, others = getattr(one, axis), getattr(other, axis)
    if places is None or others is None:
        return np.zeros(0)
    inside = (places >= others[0]) & (places <= others[-1])
    return np.interp(places[inside], others, other.values) - one.values[inside]
