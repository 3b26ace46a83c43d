"""Checks an attack's result without trusting the attack: norms, range, NaNs, predictions."""

import numpy as np

from robgan_tf.choices import NORMS
from robgan_tf.errors import UserError
from robgan_tf.robustness.subjects import Classifier

TOLERANCE = 1e-6
# Margin relative to the logits' size within which another batch size or graph may round to the
# other side; such an image is neither confirmed nor refused.
UNDECIDED = 1e-5


class VerificationError(UserError):
    """Adversarial images are not what they claim to be; the message says which and how."""


def verify(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    adversarial: np.ndarray,
    survived: np.ndarray,
    epsilon: float,
    norm: str,
    batch_size: int = 100,
) -> np.ndarray:
    """Recomputes everything that a robust accuracy rests on, from the images alone.

    Args:
      classifier: a Classifier.
      images: float [N, H, W, C] in [-1, 1].
      labels: int [N].
      adversarial: float [N, H, W, C].
      survived: bool [N], what the evaluation claims: still classified correctly.
      epsilon: radius on [-1, 1].
      norm: name of the norm, such as "linf".
      batch_size: images classified at a time.

    Returns:
      float64 [N], the norms of the perturbations.

    Raises:
      VerificationError: if a perturbation is too large, a pixel outside [-1, 1] or not a number,
        or a prediction not the one claimed.
    """
    if np.shape(adversarial) != np.shape(images):
        raise VerificationError(
            f"adversarial images have shape {np.shape(adversarial)} and images {np.shape(images)}"
        )
    _refuse(~np.isfinite(adversarial).reshape(len(images), -1).all(axis=1), "has NaN pixels")
    largest = np.abs(adversarial).reshape(len(images), -1).max(axis=1)
    _refuse(largest > 1.0 + TOLERANCE, "leaves [-1, 1]")
    norms = perturbation_norms(images, adversarial, norm)
    _refuse(norms > epsilon + TOLERANCE, f"is farther than {epsilon:g} from its original")
    margins = np.concatenate(
        [
            _margins(classifier, adversarial[part], labels[part])
            for part in (
                slice(start, start + batch_size) for start in range(0, len(images), batch_size)
            )
        ]
    )
    _refuse((margins > UNDECIDED) & ~survived, "is said to fool the classifier and does not")
    _refuse((margins < -UNDECIDED) & survived, "is said to be classified correctly and is not")
    return norms


def perturbation_norms(images: np.ndarray, adversarial: np.ndarray, norm: str) -> np.ndarray:
    """Norms of adversarial - images in float64, [N].

    Args:
      images: float [N, H, W, C], the originals.
      adversarial: float [N, H, W, C].
      norm: "linf" or "l2".

    Raises:
      ValueError: if the norm does not exist.
    """
    if norm not in NORMS:
        raise ValueError(f"norm {NORMS.unknown(norm)}")
    change = np.asarray(adversarial, np.float64) - np.asarray(images, np.float64)
    return NORMS.get(norm).distance(change.reshape(len(change), -1))


def _margins(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label's logit minus the largest other, relative to the largest absolute logit, [N]."""
    logits = np.array(classifier.logits(images), np.float64)
    rows = np.arange(len(labels))
    size = np.maximum(np.abs(logits).max(axis=1), np.finfo(np.float64).tiny)
    own = logits[rows, labels]
    logits[rows, labels] = -np.inf
    return (own - logits.max(axis=1)) / size


def _refuse(wrong: np.ndarray, what: str) -> None:
    found = np.flatnonzero(wrong)
    if len(found):
        raise VerificationError(f"adversarial image {found[0]} {what} ({len(found)} in all)")
