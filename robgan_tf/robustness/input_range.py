"""Does a classifier get its pixels in the range it was trained on? A wrong one is silent."""

import numpy as np
import tensorflow as tf

from robgan_tf.data.subsets import balanced_rows
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.typing import LogitsFunction

# What public image classifiers are trained on; the last is that of ImageNet's in PyTorch.
COMMON_RANGES = (
    InputRange(),
    InputRange(0.0, 1.0),
    InputRange(0.0, 255.0),
    InputRange(-0.5, 0.5),
    InputRange(0.0, 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
)
IMAGES = 100
# With fewer images an accuracy says too little.
FEWEST_IMAGES = 30
# With fewer images of other classes, that all of them are wrong says too little.
FEWEST_OTHERS = 10
# How much better another range has to be, as a share of the images, and in standard deviations.
CLEARLY_BETTER, DEVIATIONS = 0.1, 3.0


def range_warning(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, num_classes: int
) -> str | None:
    """Tries a classifier on up to 100 images in every common range of pixels.

    Args:
      classifier: a Classifier.
      images: float32 [N, H, W, C] in [-1, 1].
      labels: int [N].
      num_classes: of the data.

    Returns:
      One line where another range is clearly better, where none is better than chance, or where
      only images of one class are classified correctly; None where nothing is to be said, or
      there are fewer than 30 images or 2 classes.
    """
    count = min(IMAGES, len(images))
    if count < FEWEST_IMAGES or num_classes < 2:
        return None
    labels = np.asarray(labels)
    chosen = balanced_rows(labels, count)
    images, labels = images[chosen], labels[chosen]
    given = classifier.input_range
    right = _right(classifier.logits, images, labels)
    others = {
        other: _right(_in_range(classifier, other), images, labels)
        for other in COMMON_RANGES
        if other != given and len(other.mean) in (0, images.shape[-1])
    }
    best = max(others, key=lambda other: int(others[other].sum()))
    start = (
        f"{classifier.name} classifies {right.mean():.1%} of {count} images correctly with pixels "
        f"in {given}"
    )
    chance = 1.0 / num_classes
    by_chance = chance + DEVIATIONS * float(np.sqrt(chance * (1.0 - chance) / count))
    if _clearly_better(others[best], right) and others[best].mean() > by_chance:
        return (
            f"{start} and {others[best].mean():.1%} with pixels in {best}, which is likely what "
            f"it was trained on ({best.flags})"
        )
    if right.mean() <= by_chance:
        return (
            f"{start}, chance is {chance:.1%}, and no common range of pixels is clearly better: "
            "is it trained, and are its classes those of the data, in the same order?"
        )
    of_right = np.unique(labels[right])
    if len(of_right) == 1 and np.count_nonzero(labels != of_right[0]) >= FEWEST_OTHERS:
        return f"{start}, none but images of class {of_right[0]}: does it give one answer to all?"
    return None


def _in_range(classifier: Classifier, other: InputRange) -> LogitsFunction:
    """The classifier as if it had been given another range."""
    return lambda images: classifier.logits(classifier.input_range.undo(other(images)))


def _right(logits_fn: LogitsFunction, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether each image is classified correctly, bool [N]; not where logits are NaN or refused."""
    try:
        logits = np.asarray(logits_fn(tf.constant(images)))
    except tf.errors.InvalidArgumentError:
        # Exported models check the range of their pixels themselves.
        return np.zeros(len(labels), bool)
    return (logits.argmax(axis=1) == labels) & ~np.isnan(logits).any(axis=1)


def _clearly_better(other: np.ndarray, given: np.ndarray) -> bool:
    """Whether more images are right, beyond what chance would change either way."""
    gained, lost = int((other & ~given).sum()), int((given & ~other).sum())
    enough = gained - lost >= CLEARLY_BETTER * len(given)
    return enough and gained - lost > DEVIATIONS * float(np.sqrt(gained + lost))
