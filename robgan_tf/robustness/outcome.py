"""What attacks at one radius did to images, and what is counted of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

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

    def parts(self, attacks: Sequence[str]) -> list[dict[str, Any]]:
        """On how many images each attack ran, and how many of them it fooled.

        Args:
          attacks: their names, in order.
        """
        left, parts = int(self.clean_correct.sum()), []
        for name in attacks:
            fooled = int(np.sum(self.fooled_by == name))
            parts.append({"attack": name, "images": left, "fooled": fooled})
            left -= fooled
        return parts

    @property
    def survived(self) -> np.ndarray:
        """Whether the image is classified correctly clean and under every attack, bool [N]."""
        return self.fooled_by == SURVIVED


def told(parts: Sequence[Mapping[str, Any]]) -> str:
    """`Outcome.parts` in one line: how many images each attack was given and how many it left."""
    return ", ".join(
        f"{part['attack']} {part['images']} -> {part['images'] - part['fooled']}" for part in parts
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
