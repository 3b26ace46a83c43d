"""Kernel distance between two sets of features: on features of Inception, the KID.

Binkowski et al., "Demystifying MMD GANs", 2018.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from robgan_tf.quality.measure import LOWER, Compared, Number, RowMeasure
from robgan_tf.quality.moments import check_feature_sets, row_blocks


def kernel_distance(
    features_1: np.ndarray, features_2: np.ndarray, block_size: int = 1000
) -> float:
    """Computes the unbiased squared maximum mean discrepancy with k(x, y) = (x.y / d + 1)^3.

    It is the one estimate from all pairs of the full sets. Most libraries report the mean over
    random subsets of 100 to 1,000 images instead, which has the same expectation, a larger
    variance, and depends on a seed.

    Args:
      features_1: [m, d], at least two rows, finite.
      features_2: [n, d], likewise.
      block_size: rows of either set that are compared at a time. It bounds the memory, to about
        8 (3 block_size^2 + 2 block_size d) bytes, and changes the result by rounding only.

    Returns:
      A float; below 0 at times, since it is unbiased and 0 is its expectation for two samples of
      one distribution.

    Raises:
      ValueError: if a set is not a matrix, has fewer than two rows or is not finite, if the
        widths differ, or `block_size` is less than 1.
    """
    first, second = check_feature_sets({"features_1": features_1, "features_2": features_2}, 2)
    between = 0.0
    for rows in row_blocks(len(first), block_size):
        for columns in row_blocks(len(second), block_size):
            between += _kernel_sum(_kernel_base(first[rows], second[columns]))
    between /= len(first) * len(second)
    within = _mean_within(first, block_size) + _mean_within(second, block_size)
    return float(within - 2.0 * between)


def _mean_within(features: np.ndarray, block_size: int) -> float:
    """Mean of the kernel over all pairs of two different rows."""
    total = 0.0
    blocks = row_blocks(len(features), block_size)
    for index, rows in enumerate(blocks):
        base = _kernel_base(features[rows], features[rows])
        # Left out rather than subtracted in the end, which would cost digits.
        np.fill_diagonal(base, 0.0)
        total += _kernel_sum(base)
        for columns in blocks[index + 1 :]:
            # The kernel is symmetric.
            total += 2.0 * _kernel_sum(_kernel_base(features[rows], features[columns]))
    return total / (len(features) * (len(features) - 1))


def _kernel_base(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [m, n]: the number whose cube is the kernel."""
    base = first.astype(np.float64) @ second.astype(np.float64).T
    base /= first.shape[1]
    base += 1.0
    return base


def _kernel_sum(base: np.ndarray) -> float:
    # Several times faster than the sum of base**3.
    return np.vdot(base * base, base)


class KernelDistance(RowMeasure):
    """Of all pairs of the images that are compared one by one; 0 for equal distributions."""

    numbers: ClassVar[Mapping[str, Number]] = {
        "kid": Number(
            "kernel distance: unbiased squared MMD with a cubic kernel, of all pairs of at most "
            "10,000 images; 0 for equal distributions, below 0 at times",
            LOWER,
        )
    }

    @override
    def compute(self, compared: Compared) -> dict[str, float]:
        return {"kid": kernel_distance(compared.real_rows, compared.fake_rows)}


CHOICE = KernelDistance()
