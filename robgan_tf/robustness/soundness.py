"""What remains of an evaluation where an attack broke its own rules: the results of the others."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from robgan_tf.attacks.search import AttackSearch
from robgan_tf.robustness.outcome import SURVIVED, WRONG_WHEN_CLEAN, Outcome
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.verification import PerturbationError, verify


def keep_sound(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    outcome: Outcome,
    attacks: Sequence[AttackSearch],
    epsilon: float,
    norm: str,
    batch_size: int = 100,
    randomised: bool = False,
) -> tuple[Outcome, np.ndarray, dict[str, set[str]]]:
    """Verifies an outcome, and leaves out attacks whose images are not within ball and box.

    An image that such an attack fooled counts as withstanding, as if the attack had not been made.

    Args:
      classifier: a Classifier.
      images: float [N, H, W, C] in [-1, 1].
      labels: int [N].
      outcome: an Outcome for these images.
      attacks: those that were made, in order.
      epsilon: their radius on [-1, 1].
      norm: name of the norm.
      batch_size: images classified at a time.
      randomised: whether the classifier answers by chance: then its answers are not recomputed.

    Returns:
      (Outcome of the sound attacks, float64 [N] norms of its perturbations, and from a line on
      attacks that were left out to their names).

    Raises:
      VerificationError: if no attack is left, or something else than a perturbation is wrong.
    """
    left_out: dict[str, set[str]] = {}
    names = [attack.name for attack in attacks]
    while True:
        try:
            norms = verify(
                classifier,
                images,
                labels,
                outcome.adversarial,
                outcome.survived,
                epsilon,
                norm,
                batch_size,
                randomised,
            )
        except PerturbationError as error:
            blamed = _blamed(outcome, error.wrong, names)
            names = [name for name in names if name not in blamed]
            if not names or not blamed:
                raise
            outcome = _without(outcome, images, blamed, error.wrong)
            left_out[f"{' and '.join(sorted(blamed))} left out: {error}"] = blamed
        else:
            return outcome, norms, left_out


def _blamed(outcome: Outcome, wrong: np.ndarray, names: Sequence[str]) -> set[str]:
    """The attacks that made the images: of those that survived all, the last."""
    made = np.where(outcome.survived, names[-1] if names else WRONG_WHEN_CLEAN, outcome.fooled_by)
    return set(made[wrong].tolist()) & set(names)


def _without(outcome: Outcome, images: np.ndarray, blamed: set[str], wrong: np.ndarray) -> Outcome:
    undone = np.isin(outcome.fooled_by, sorted(blamed)) | (outcome.survived & wrong)
    return dataclasses.replace(
        outcome,
        fooled_by=np.where(undone, SURVIVED, outcome.fooled_by),
        adversarial=np.where(undone[:, None, None, None], images, outcome.adversarial),
    )
