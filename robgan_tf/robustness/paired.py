"""Whether one classifier withstands more than another: the paired difference on the same images."""

import dataclasses
import math

import numpy as np

_Z_95 = 1.959963984540054


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """How much more often the first of two is right, on the same images.

    Attributes:
      difference: share of the first less that of the second, in [-1, 1].
      interval_95: (low, high) of it.
      first_only: images that only the first is right about.
      second_only: images that only the second is right about.
      images: how many there are.
    """

    difference: float
    interval_95: tuple[float, float]
    first_only: int
    second_only: int
    images: int

    @property
    def is_above(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.interval_95[0] > 0.0

    @property
    def is_below(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.interval_95[1] < 0.0


def paired_difference(first: np.ndarray, second: np.ndarray) -> PairedDifference:
    """Compares two classifiers that were given the same images.

    Only images about which they disagree count, so that the interval is narrower than that of two
    separate samples. It is Bonett and Price's adjusted Wald interval (J. Educ. Behav. Stat., 2012),
    which has its level also for few images and for no disagreement.

    Args:
      first: bool [N], whether the first is right (or withstands) about each image.
      second: bool [N], the same of the second, in the same order.

    Raises:
      ValueError: if they are of different images, or of none.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"not two lists of the same images: {first.shape} and {second.shape}")
    count = len(first)
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    upper, lower = (only_first + 1) / (count + 2), (only_second + 1) / (count + 2)
    middle = upper - lower
    half = _Z_95 * math.sqrt((upper + lower - middle**2) / (count + 2))
    return PairedDifference(
        (only_first - only_second) / count,
        (max(-1.0, middle - half), min(1.0, middle + half)),
        only_first,
        only_second,
        count,
    )
