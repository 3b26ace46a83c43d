"""Inception Score: whether images are each of a clear class, and together of all classes.

Salimans et al., "Improved Techniques for Training GANs", 2016.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from robgan_tf.errors import UserError
from robgan_tf.quality.measure import HIGHER, SPLITS, Compared, Measure, Number, short
from robgan_tf.quality.moments import row_blocks

BLOCK_SIZE = 1000
# Far above what a float32 softmax leaves of 1, and far below what logits would.
SUM_TOLERANCE = 1e-3


def inception_score(probabilities: np.ndarray, splits: int = 10) -> tuple[float, float]:
    """Computes exp(E_x KL(p(y | x) || p(y))) of each split, p(y) being the mean over the split.

    Splits are consecutive in the order given, as equal in size as `numpy.array_split` makes them.
    Images must therefore be in random order: sorted by class, every split would hold few classes
    and score too low. The score also depends on the size of a split; published ones are of
    50,000 images in 10 splits.

    Args:
      probabilities: [N, K], each row the class probabilities of an image.
      splits: from 1 to N.

    Returns:
      (mean, standard deviation) of the scores of the splits, each score in [1, K]. The standard
      deviation is that of the splits themselves (divided by their number, not by one less), as
      in the authors' code: 0 for one split.

    Raises:
      ValueError: if probabilities are not [N, K], not finite, negative or do not sum to 1 within
        `SUM_TOLERANCE`, or if there are not from 1 to N splits.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2:
        raise ValueError(f"probabilities must be [N, K], not {list(probabilities.shape)}")
    if not 1 <= splits <= len(probabilities) or splits != int(splits):
        raise ValueError(
            f"splits must be a whole number from 1 to the number of images, {len(probabilities)}, "
            f"not {splits}"
        )
    scores = [_score(split) for split in np.array_split(probabilities, int(splits))]
    return float(np.mean(scores)), float(np.std(scores))


def _score(probabilities: np.ndarray) -> float:
    count, classes = probabilities.shape
    negative_entropy = 0.0
    marginal = np.zeros(classes)
    for rows in row_blocks(count, BLOCK_SIZE):
        block = probabilities[rows].astype(np.float64)
        _check_distributions(block)
        negative_entropy += _x_log_x(block).sum() / count
        marginal += block.sum(axis=0) / count
    # The mean divergence from p(y) is the entropy of p(y) less the mean entropy of p(y | x).
    return np.exp(negative_entropy - _x_log_x(marginal).sum())


def _check_distributions(block: np.ndarray) -> None:
    # Written so that NaN fails too.
    if not (block >= 0.0).all():
        raise ValueError("probabilities must be at least 0, and one is negative or NaN")
    sums = block.sum(axis=1)
    worst = sums[np.argmax(np.abs(sums - 1.0))]
    if not np.abs(worst - 1.0) <= SUM_TOLERANCE:
        raise ValueError(
            f"each row of probabilities must sum to 1, and one sums to {worst:.6g}: are these "
            "logits?"
        )


def _x_log_x(x: np.ndarray) -> np.ndarray:
    # The limit at 0 is 0.
    return x * np.log(np.maximum(x, np.finfo(np.float64).tiny))


class InceptionScore(Measure):
    """Of generated images alone; its name says how many splits if they are not 10."""

    numbers: ClassVar[Mapping[str, Number]] = {
        "is": Number(
            "Inception Score: exp of the mean KL divergence of p(class given image) from p(class). "
            "From 1 to the number of classes. Only of features that come with class logits",
            HIGHER,
        ),
        "is_deviation": Number("standard deviation of the score over its splits", None),
    }
    needs_probabilities = True

    @override
    def compute(self, compared: Compared) -> dict[str, float]:
        assert compared.fake.probabilities is not None, "needs_probabilities"
        mean, deviation = inception_score(compared.fake.probabilities, compared.splits)
        return {"is": mean, "is_deviation": deviation}

    @override
    def rest_of_name(self, compared: Compared) -> str:
        alone = f"{compared.extractor}/{short(len(compared.fake))}"
        return alone if compared.splits == SPLITS else f"{alone}-{compared.splits}splits"

    @override
    def check_counts(self, real: int, fake: int, splits: int) -> None:
        if fake < splits:
            raise UserError(
                f"{fake} images cannot be divided into {splits} splits of the Inception Score: "
                "ask for more (--num_images), or fewer splits (--splits)"
            )


CHOICE = InceptionScore()
