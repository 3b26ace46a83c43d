"""Can a robust accuracy be believed? The signs of masked gradients, checked one by one.

A defence that hides its gradients makes attacks fail, not images safe (Athalye et al., ICML 2018).
Each check is a relation that holds for an honest model whatever its accuracy.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.pgd import ProjectedGradientDescent
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm, round_seeds
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.attacks.square import MOVES_IN, SquareSearch
from robgan_tf.choices import NORMS
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.flags import (
    gives_logits,
    little_by_square,
    same_logits,
    takes_no_gradient,
)
from robgan_tf.robustness.gradients import GradientCounts, shares_of_zero
from robgan_tf.robustness.signs import Check
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.typing import LogitsFunction

ACCURACY_AT_HUGE_RADIUS = 0.05
# A relation may be violated by this share of the images before it is an alarm.
TOLERANCE = 0.02
ZERO_GRADIENTS = 0.05
SQUARE_QUERIES = 500
NOISE_DRAWS = 10

# Under which attack, and what accuracy.
Measured = tuple[str, float]


@dataclasses.dataclass(frozen=True)
class Reported:
    """The result that is to be believed or not.

    Attributes:
      attack: name of its protocol.
      survived: bool [N], whether each image of the masking report withstood it.
      by_square: the share of all images that Square was the first to fool, after other attacks;
        None where it did not come after others.
      randomised: whether the model is meant to answer by chance.
    """

    attack: str
    survived: np.ndarray
    by_square: float | None = None
    randomised: bool = False


def masking_report(
    compiled: CompiledClassifier,
    images: np.ndarray,
    labels: np.ndarray,
    reported: Reported,
    epsilon: float,
    norm: str = "linf",
    seed: int = 0,
    batch_size: int = 100,
) -> list[Check]:
    """Runs all checks; accuracies are those on the given images.

    Args:
      compiled: the classifier.
      images: float32 [N, H, W, C] in [-1, 1]; a few hundred are enough.
      labels: int [N].
      reported: what the evaluation to be believed found for these images.
      epsilon: its radius, on [-1, 1].
      norm: name of the norm, such as "linf".
      seed: of all random numbers.
      batch_size: images at a time.

    Returns:
      List of Check.
    """
    classifier = compiled.classifier
    evaluations: list[RobustnessEvaluation] = []

    def survivors(attack: AttackSearch) -> np.ndarray:
        # Gradients that are not finite are counted here, not refused: that is one of the checks.
        evaluation = RobustnessEvaluation(compiled, [attack], batch_size, seed, most_not_finite=1.0)
        evaluations.append(evaluation)
        return evaluation.run(images, labels).survived

    def accuracy(attack: AttackSearch) -> float:
        return float(survivors(attack).mean())

    pgd = functools.partial(_pgd, norm)
    few, many = accuracy(pgd(epsilon, 5)), accuracy(pgd(epsilon, 50))
    of_one = survivors(pgd(epsilon, 20))
    of_two = of_one & survivors(pgd(epsilon, 20, objective="margin"))
    white_box: Measured = ("PGD-20", float(of_one.mean()))
    restarted = accuracy(pgd(epsilon, 20, restarts=3))
    single: Measured = ("FGSM", accuracy(fgsm(epsilon, norm)))
    noise: Measured = ("noise", accuracy(RandomNoise(epsilon, norm, NOISE_DRAWS)))
    both: Measured = ("PGD-20 on two objectives", float(of_two.mean()))
    strongest = [single, ("PGD-50", many), ("PGD-20, 3 restarts", restarted), both, noise]
    for objective, name in (("cross_entropy", "cross-entropy"), _ratio(classifier, images)):
        attack = AutoPGD(epsilon, 100, norm, objective)
        strongest.append((f"Auto-PGD on {name}", accuracy(attack)))
    checks = [
        _at_most("more steps never help the defender", ("50 steps", many), ("5 steps", few)),
        _at_most(
            "restarts never help the defender",
            ("3 restarts", restarted),
            ("1 start", white_box[1]),
        ),
        _at_most("many steps are at least as strong as one", white_box, single),
        _at_most("the attack is stronger than random noise", white_box, noise),
    ]
    if norm in MOVES_IN:
        square = accuracy(SquareSearch(epsilon, SQUARE_QUERIES, norm))
        strongest.append((f"Square, {SQUARE_QUERIES} queries", square))
        checks.append(_at_most("white box is at least as strong as black box", both, strongest[-1]))
    found: Measured = (f"{reported.attack} as reported", float(reported.survived.mean()))
    best = min(strongest, key=lambda measured: measured[1])
    checks.append(
        _at_most("the attack reported is as strong as the strongest known here", found, best)
    )
    return [
        *_flags(classifier, images[:batch_size], labels[:batch_size], reported),
        _gradients_exist(classifier, images, labels, batch_size),
        _falls_to_zero(accuracy, pgd, NORMS.get(norm).grey_radius(images[0].size)),
        *checks,
        # The last one: it counts what all the others followed.
        _gradients_are_finite(evaluations),
    ]


def _flags(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, reported: Reported
) -> list[Check]:
    """Those of AutoAttack's reference code, but zero gradients."""
    of_chance = [] if reported.randomised else [same_logits(classifier, images, labels)]
    of_square = [] if reported.by_square is None else [little_by_square(reported.by_square)]
    return [
        *of_chance,
        gives_logits(classifier, images),
        takes_no_gradient(classifier, images),
        *of_square,
    ]


def _pgd(
    norm: str, radius: float, steps: int, restarts: int = 1, objective: str = "cross_entropy"
) -> PGDSearch:
    return PGDSearch(radius, steps, 2.5 * radius / steps, norm, True, objective, restarts)


def _ratio(classifier: Classifier, images: np.ndarray) -> tuple[str, str]:
    """The objective that no scale of logits changes, and its name; DLR needs three classes."""
    classes = classifier.logits(tf.constant(images[:1])).shape[-1]
    return ("dlr", "DLR") if classes > 2 else ("margin", "the margin")


class RandomNoise:
    """The worst of a few random points of the ball: not an attack, a yardstick.

    Args:
      epsilon: radius on [-1, 1].
      norm: name of the norm, such as "linf".
      draws: how many points.
    """

    name = "noise"

    def __init__(self, epsilon: float, norm: str, draws: int) -> None:
        self.rounds = draws
        self._ball = ProjectedGradientDescent(epsilon, 1, 0.0, norm, random_start=True)

    def __call__(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor = 0,
    ) -> tf.Tensor:
        """As the call of `PGDSearch`."""
        del logits_fn, labels
        return self._ball.start(images, round_seeds(seeds, round_number), self._ball.epsilon)


def _check(name: str, measured: float, most: float, figures: str) -> Check:
    """A relation that holds where what was measured is at most so much; the row says both."""
    # What is a share of so many images is not to fail by the rounding of its sum.
    return Check(name, measured <= most + 1e-9, f"{figures}; allowed up to {most:.1%}")


def _at_most(name: str, stronger: Measured, weaker: Measured) -> Check:
    figures = " and ".join(f"{value:.1%} under {attack}" for attack, value in (stronger, weaker))
    return _check(name, stronger[1], weaker[1] + TOLERANCE, figures)


def _gradients_exist(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, batch_size: int
) -> Check:
    """A gradient must not vanish where an attack has to find its way.

    That of cross-entropy counts too, although attacks here do without: where it is 0, those of
    others stand still, and so does training against an attack.
    """
    climbed, of_cross_entropy = shares_of_zero(classifier, images, labels, batch_size)
    return _check(
        "images have a gradient",
        max(climbed, of_cross_entropy),
        ZERO_GRADIENTS,
        f"{climbed:.1%} of the images have a gradient of exactly 0, {of_cross_entropy:.1%} one of "
        "cross-entropy",
    )


def _falls_to_zero(
    accuracy: Callable[[AttackSearch], float], pgd: Callable[..., AttackSearch], radius: float
) -> Check:
    """At half of the whole range of pixels any image can be made grey; no honest model survives."""
    huge = accuracy(pgd(radius, 50))
    return _check(
        "accuracy falls to about 0 as the radius grows",
        huge,
        ACCURACY_AT_HUGE_RADIUS,
        f"{huge:.1%} at {radius:g}",
    )


def _gradients_are_finite(evaluations: Sequence[RobustnessEvaluation]) -> Check:
    counts = sum((evaluation.gradients for evaluation in evaluations), GradientCounts())
    return Check(
        "gradients are finite",
        counts.not_finite == 0,
        f"{counts.not_finite} of {counts.followed} that the attacks here followed are infinite or "
        "NaN; allowed up to 0",
    )
