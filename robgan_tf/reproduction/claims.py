"""The paper's five claims, each judged by one rule."""

import dataclasses
import statistics
from collections.abc import Sequence

from robgan_tf.reproduction.results import Difference, Results
from robgan_tf.units import format_radius

SUPPORTED, NOT, UNDECIDED = "supported", "not supported", "undecided at this scale"
RULE = (
    "Supported: better beyond the 95 % interval of the paired difference in every seed, of which "
    "there are at least two. Not supported: no better on average over the seeds, or worse beyond "
    "the interval in one. Undecided: everything else."
)
_FEWEST_SEEDS = 2


@dataclasses.dataclass(frozen=True)
class Finding:
    """One comparison that a claim is judged by.

    Attributes:
      claim: a letter.
      text: what is claimed.
      compared: what is compared, in words.
      unit: of the differences: "points" (of per cent) or "" (of the Fréchet distance).
      differences: of the seeds.
      outcome: of SUPPORTED, NOT, UNDECIDED.
      decides: whether the claim stands or falls with it.
    """

    claim: str
    text: str
    compared: str
    unit: str
    differences: Sequence[Difference]
    outcome: str
    decides: bool = True

    @property
    def sentence(self) -> str:
        """What was found, with its figures."""
        if not self.differences:
            return f"{self.compared}: nothing to compare yet."
        return f"{self.compared}: {self.mean} on average; {self.by_seed}."

    @property
    def mean(self) -> str:
        """The mean difference over the seeds, with its unit."""
        if not self.differences:
            return "-"
        mean = self._scale * statistics.mean(x.value for x in self.differences)
        return f"{mean:+.1f} {self.unit}".rstrip()

    @property
    def by_seed(self) -> str:
        """The difference of each seed with its interval."""
        scale = self._scale
        return "; ".join(
            f"seed {x.seed} {scale * x.value:+.1f} ({scale * x.low:+.1f} to {scale * x.high:+.1f})"
            for x in self.differences
        )

    @property
    def _scale(self) -> float:
        return 100.0 if self.unit else 1.0


def judged(differences: Sequence[Difference], can_decide: bool) -> str:
    """The outcome of a comparison by RULE.

    Args:
      differences: one a seed, positive where the claim holds.
      can_decide: whether the scale can say anything.
    """
    if not can_decide or len(differences) < _FEWEST_SEEDS:
        return UNDECIDED
    if all(x.low > 0.0 for x in differences):
        return SUPPORTED
    mean = statistics.mean(x.value for x in differences)
    return NOT if mean <= 0.0 or any(x.high < 0.0 for x in differences) else UNDECIDED


def findings(results: Results) -> list[Finding]:
    """Every comparison that the experiment's tables and figures allow, in the order of claims.

    Args:
      results: of the experiment.
    """
    items = results.experiment.items
    found: list[Finding] = []
    if "table_1" in items:
        found += [*_robustness(results), *_gap(results)]
    if {"table_1", "figure_6"} & {*items}:
        found += _fine_tuning(results)
    if {"figure_7", "figure_8"} & {*items}:
        found += _images(results)
    return sorted(found, key=lambda finding: finding.claim)


def verdicts(found: Sequence[Finding]) -> dict[str, str]:
    """The outcome of each claim: that of the comparison that speaks most against it."""
    order = (NOT, UNDECIDED, SUPPORTED)
    letters = dict.fromkeys(finding.claim for finding in found)
    return {
        letter: min((x.outcome for x in found if x.claim == letter and x.decides), key=order.index)
        for letter in letters
    }


def _robustness(results: Results) -> list[Finding]:
    text = "Rob-GAN with fine-tuning is more robust than adversarial training"
    plans, radius = results.experiment.plans, format_radius(results.experiment.scale.radius)
    found = []
    for name in ("at", "at_longer"):
        for kind in plans[name].evaluations if name in plans else ():
            if kind == "train":
                continue
            compared = f"accuracy at {radius} over that of {plans[name].title}, {kind} checkpoint"
            differences = results.paired(("rob_gan", "last"), (name, kind))
            found.append(_points(results, "a", text, compared, differences))
    return found


def _gap(results: Results) -> list[Finding]:
    text = "Rob-GAN has the smaller gap between training and test accuracy under attack"
    radius = format_radius(results.experiment.scale.radius)
    compared = f"gap at {radius}, that of adversarial training at equal updates less Rob-GAN's"
    return [_points(results, "b", text, compared, results.smaller_gaps("rob_gan", "at"))]


def _fine_tuning(results: Results) -> list[Finding]:
    text = "Fine-tuning makes the discriminator more robust"
    radius = format_radius(results.experiment.scale.radius)
    compared = f"accuracy at {radius} with fine-tuning over that before it"
    differences = results.paired(("rob_gan", "last"), ("gan", "last"))
    return [_points(results, "c", text, compared, differences)]


def _images(results: Results) -> list[Finding]:
    loss = "The split loss makes better images than the AC-GAN loss"
    speed = "The attack makes the generator converge faster"
    found = []
    for attack, said in (("none", "without attack"), ("attack", "with attack")):
        compared = f"Fréchet distance {said}, AC-GAN loss less split loss, last 5 measurements"
        differences = results.lower(f"split_{attack}", f"ac_gan_{attack}", only_last=True)
        found.append(_distance(results, "d", loss, compared, differences))
    for name, said in (("split", "split loss"), ("ac_gan", "AC-GAN loss")):
        for axis, unit in (("step", "updates"), ("seconds", "seconds")):
            compared = (
                f"Fréchet distance, {said}, without attack less with it, all measurements at equal "
                f"{unit}"
            )
            differences = results.lower(f"{name}_attack", f"{name}_none", axis)
            # Iterations are what the paper's Figure 8 is over.
            found.append(_distance(results, "e", speed, compared, differences, axis == "step"))
    return found


def _points(
    results: Results, claim: str, text: str, compared: str, differences: Sequence[Difference]
) -> Finding:
    outcome = judged(differences, results.experiment.scale.can_decide)
    return Finding(claim, text, compared, "points", differences, outcome)


def _distance(
    results: Results,
    claim: str,
    text: str,
    compared: str,
    differences: Sequence[Difference],
    decides: bool = True,
) -> Finding:
    outcome = judged(differences, results.experiment.scale.can_decide)
    return Finding(claim, text, compared, "", differences, outcome, decides)
