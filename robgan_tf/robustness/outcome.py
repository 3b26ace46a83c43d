"""What attacks at one radius did to images, and what is counted of it."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.stats

WRONG_WHEN_CLEAN = "clean"
SURVIVED = ""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What attacks at one radius did to N images.

    Attributes:
      predictions: int [N], predicted classes of the clean images; -1 where the logits are NaN.
      fooled_by: str [N]: the first attack that succeeded; "clean" where the clean image is
        misclassified already, "" where all attacks failed.
      adversarial: float32 [N, H, W, C]: the successful adversarial image, otherwise the last
        one that was tried; the image itself where it is misclassified clean.
      seconds: time that the attacks took.
    """

    predictions: np.ndarray
    fooled_by: np.ndarray
    adversarial: np.ndarray
    seconds: float

    @property
    def clean_correct(self) -> np.ndarray:
        """Whether the clean image is classified correctly, bool [N]."""
        return self.fooled_by != WRONG_WHEN_CLEAN

    @property
    def survived(self) -> np.ndarray:
        """Whether the image is classified correctly clean and under every attack, bool [N]."""
        return self.fooled_by == SURVIVED


def join(outcomes: Sequence[Outcome]) -> Outcome:
    """Joins the outcomes of the parts of a data set, in order."""
    return Outcome(
        np.concatenate([outcome.predictions for outcome in outcomes]),
        np.concatenate([outcome.fooled_by for outcome in outcomes]),
        np.concatenate([outcome.adversarial for outcome in outcomes]),
        sum(outcome.seconds for outcome in outcomes),
    )


def confidence_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share of `count` images.

    Args:
      share: in [0, 1].
      count: at least 1.

    Returns:
      (low, high) in [0, 1].
    """
    interval = scipy.stats.binomtest(round(share * count), count).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
