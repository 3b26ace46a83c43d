"""Can a robust accuracy be believed? The signs of masked gradients, checked one by one.

A defence that hides its gradients makes attacks fail, not images safe (Athalye et al., ICML 2018).
Each check is a relation that holds for an honest model whatever its accuracy.
"""

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.pgd import ProjectedGradientDescent
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm, round_seeds
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.choices import NORMS
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.robustness.evaluation import Check, RobustnessEvaluation
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.typing import LogitsFunction

ACCURACY_AT_HUGE_RADIUS = 0.05
# A relation may be violated by this share of the images before it is an alarm.
TOLERANCE = 0.02
ZERO_GRADIENTS = 0.05
SQUARE_QUERIES = 500
NOISE_DRAWS = 10


def masking_report(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    epsilon: float,
    norm: str = "linf",
    seed: int = 0,
    batch_size: int = 100,
) -> list[Check]:
    """Runs all checks; accuracies are those on the given images.

    Args:
      classifier: a Classifier of logits.
      images: float32 [N, H, W, C] in [-1, 1]; a few hundred are enough.
      labels: int [N].
      epsilon: radius of the evaluation to be believed, on [-1, 1].
      norm: name of the norm, such as "linf".
      seed: of all random numbers.
      batch_size: images at a time.

    Returns:
      List of Check.
    """

    def accuracy(*attacks: AttackSearch) -> float:
        evaluation = RobustnessEvaluation(classifier, attacks, images.shape[1:], batch_size, seed)
        return float(evaluation.run(images, labels).survived.mean())

    def pgd(
        steps: int, restarts: int = 1, radius: float = epsilon, objective: str = "cross_entropy"
    ) -> PGDSearch:
        step = 2.5 * radius / steps
        return PGDSearch(radius, steps, step, norm, True, objective, restarts)

    few, many = accuracy(pgd(5)), accuracy(pgd(50))
    white_box = accuracy(pgd(20))
    restarted = accuracy(pgd(20, restarts=3))
    single = accuracy(fgsm(epsilon, norm))
    two_objectives = accuracy(pgd(20), pgd(20, objective="margin"))
    square = accuracy(SquareSearch(epsilon, SQUARE_QUERIES, norm))
    noise = accuracy(RandomNoise(epsilon, norm, NOISE_DRAWS))
    # Half of the whole range of pixels: any image can be made grey, and no honest model survives.
    huge_radius = NORMS.get(norm).grey_radius(images[0].size)
    huge = accuracy(pgd(50, radius=huge_radius))
    return [
        _deterministic(classifier, images[:batch_size]),
        _gradients_exist(classifier, images, labels, batch_size),
        Check(
            "accuracy falls to about 0 as the radius grows",
            huge <= ACCURACY_AT_HUGE_RADIUS,
            f"{huge:.1%} at {huge_radius:g}",
        ),
        _at_most("more steps never help the defender", "50 steps", many, "5 steps", few),
        _at_most("restarts never help the defender", "3 restarts", restarted, "1 start", white_box),
        _at_most("many steps are at least as strong as one", "PGD-20", white_box, "FGSM", single),
        _at_most(
            "white box is at least as strong as black box",
            "PGD-20 on two objectives",
            two_objectives,
            f"Square, {SQUARE_QUERIES} queries",
            square,
        ),
        _at_most("the attack is stronger than random noise", "PGD-20", white_box, "noise", noise),
    ]


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


def _at_most(name: str, stronger: str, low: float, weaker: str, high: float) -> Check:
    return Check(
        name, low <= high + TOLERANCE, f"{low:.1%} under {stronger}, {high:.1%} under {weaker}"
    )


def _deterministic(classifier: Classifier, images: np.ndarray) -> Check:
    one, other = (np.asarray(classifier.logits(tf.constant(images))) for _ in range(2))
    difference = np.abs(one - other).max() / max(np.abs(one).max(), 1e-12)
    return Check(
        "the same image gives the same logits",
        bool(difference < 1e-4),
        f"two calls differ by {difference:.1e} of the largest logit",
    )


def _gradients_exist(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, batch_size: int
) -> Check:
    """The gradient of cross-entropy must not vanish where the attack has to find its way."""
    zero = []
    for start in range(0, len(images), batch_size):
        batch = tf.constant(images[start : start + batch_size])
        with tf.GradientTape() as tape:
            tape.watch(batch)
            logits = classifier.logits(batch)
            losses = class_loss(logits, labels[start : start + batch_size])
        gradient = tape.gradient(losses, batch)
        if gradient is None:
            zero += [True] * len(batch)
        else:
            zero += list(np.all(np.asarray(gradient) == 0.0, axis=(1, 2, 3)))
    share = float(np.mean(zero))
    return Check(
        "images have a gradient",
        share <= ZERO_GRADIENTS,
        f"{share:.1%} of the images have a gradient of exactly 0",
    )
