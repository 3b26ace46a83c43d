"""Checks an attack's result without trusting the attack: norms, range, NaNs, predictions."""

import numpy as np

from robgan_tf.choices import NORMS
from robgan_tf.errors import UserError
from robgan_tf.robustness.subjects import Classifier

TOLERANCE = 1e-6
# What float32 may add to a perturbation: one unit in the last place of each pixel, whose norm grows
# with the size of images, and a few in that of the radius.
PIXEL_ROUNDING, RADIUS_ROUNDING = 2.0**-24, 2.0**-20
# Margin relative to the logits' size within which another batch size or graph may round to the
# other side; such an image is neither confirmed nor refused.
UNDECIDED = 1e-5


class VerificationError(UserError):
    """Adversarial images are not what they claim to be; the message says which and how."""


class PerturbationError(VerificationError):
    """Adversarial images leave their ball or the range of pixels.

    Attributes:
      wrong: bool [N], which images do.
    """

    def __init__(self, message: str, wrong: np.ndarray) -> None:
        super().__init__(message)
        self.wrong = wrong


def verify(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    adversarial: np.ndarray,
    survived: np.ndarray,
    epsilon: float,
    norm: str,
    batch_size: int = 100,
    randomised: bool = False,
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
      randomised: whether the classifier answers by chance: then its answers are not recomputed.

    Returns:
      float64 [N], the norms of the perturbations.

    Raises:
      PerturbationError: if a perturbation is too large, a pixel outside [-1, 1] or not a number.
      VerificationError: if a prediction is not the one claimed.
    """
    if np.shape(adversarial) != np.shape(images):
        raise VerificationError(
            f"adversarial images have shape {np.shape(adversarial)} and images {np.shape(images)}"
        )
    finite = np.isfinite(adversarial).reshape(len(images), -1).all(axis=1)
    _refuse_moved(~finite, "has NaN pixels")
    largest = np.abs(adversarial).reshape(len(images), -1).max(axis=1)
    _refuse_moved(largest > 1.0 + TOLERANCE, "leaves [-1, 1]")
    norms = perturbation_norms(images, adversarial, norm)
    allowed = epsilon + rounding(images[0].size, epsilon, norm)
    farthest = f"{norms.max():.6g} where {allowed:.6g} is allowed"
    _refuse_moved(norms > allowed, f"is farther than {epsilon:g} from its original, {farthest}")
    if randomised:
        return norms
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
      norm: name of the norm, such as "linf".

    Raises:
      ValueError: if the norm does not exist.
    """
    if norm not in NORMS:
        raise ValueError(f"norm {NORMS.unknown(norm)}")
    change = np.asarray(adversarial, np.float64) - np.asarray(images, np.float64)
    return NORMS.get(norm).distance(change.reshape(len(change), -1))


def rounding(values: int, epsilon: float, norm: str) -> float:
    """How far beyond its ball the arithmetic of float32 may put an attacked image.

    Args:
      values: pixel values of an image.
      epsilon: radius on [-1, 1].
      norm: name of the norm, such as "linf".

    Returns:
      A distance in that norm, at least `TOLERANCE`.
    """
    of_pixels = NORMS.get(norm).distance(np.full([1, values], PIXEL_ROUNDING))[0]
    return max(TOLERANCE, float(of_pixels) + RADIUS_ROUNDING * epsilon)


def _margins(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label's logit minus the largest other, relative to the largest absolute logit, [N].

    Minus infinity where a logit is NaN: such an image is not classified.
    """
    logits = np.array(classifier.logits(images), np.float64)
    unknown = np.isnan(logits).any(axis=1)
    logits[unknown] = 0.0
    rows = np.arange(len(labels))
    size = np.maximum(np.abs(logits).max(axis=1), np.finfo(np.float64).tiny)
    own = logits[rows, labels]
    logits[rows, labels] = -np.inf
    margins = (own - logits.max(axis=1)) / size
    return np.where(unknown, -np.inf, margins)


def _refuse(wrong: np.ndarray, what: str) -> None:
    if wrong.any():
        raise VerificationError(_line(wrong, what))


def _refuse_moved(wrong: np.ndarray, what: str) -> None:
    if wrong.any():
        raise PerturbationError(_line(wrong, what), wrong)


def _line(wrong: np.ndarray, what: str) -> str:
    return f"adversarial image {np.argmax(wrong)} {what} ({int(wrong.sum())} in all)"
