"""Density and coverage: precision and recall that few outliers cannot inflate.

Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020. Only real
images have balls around them, so that a generated outlier covers nothing.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from robgan_tf.quality.distances import BLOCK_SIZE, inside_balls
from robgan_tf.quality.measure import HIGHER, Compared, Number, RowMeasure
from robgan_tf.quality.moments import check_feature_sets, row_blocks
from robgan_tf.quality.neighbours import nearest_others

NEIGHBOURS = 5


def density_coverage(
    real_features: np.ndarray,
    fake_features: np.ndarray,
    k: int = NEIGHBOURS,
    block_size: int = BLOCK_SIZE,
) -> tuple[float, float]:
    """Computes how densely generated points lie in the balls of real ones, and how many hold one.

    The ball around a real point reaches to its k-th nearest other real point, surface excluded, as
    in the authors' code: equal sets have a density of exactly 1, unless points coincide. Rounding
    decides nothing: see `distances`.

    Args:
      real_features: [m, d], at least k + 1 rows, finite.
      fake_features: [n, d], likewise.
      k: which neighbour a ball reaches to, at least 1.
      block_size: rows of either set that are compared at a time; it bounds the memory.

    Returns:
      (density, coverage): the mean over generated points of the number of balls that a point is
      in, divided by k, from 0 and above 1 where they crowd in dense places; the share of balls with
      a generated point in them, in [0, 1].

    Raises:
      ValueError: if k or `block_size` is less than 1, a set is not a matrix, has fewer than k + 1
        rows or is not finite, or the widths differ.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    real, fake = check_feature_sets(
        {"real_features": real_features, "fake_features": fake_features}, k + 1
    )
    origin = real.mean(axis=0, dtype=np.float64)
    radii = nearest_others(real, k, block_size).squared[:, -1]
    held, covered = 0, np.zeros(len(real), bool)
    for rows in row_blocks(len(real), block_size):
        for columns in row_blocks(len(fake), block_size):
            inside = inside_balls(fake[columns], real[rows], radii[rows], origin, surface=False)
            held += int(inside.sum())
            covered[rows] |= inside.any(axis=0)
    return held / (k * len(fake)), float(covered.mean())


class DensityCoverage(RowMeasure):
    """Of the images that are compared one by one, with the balls to the fifth neighbour."""

    neighbours = NEIGHBOURS
    numbers: ClassVar[Mapping[str, Number]] = {
        "density": Number(
            "number of neighbourhoods (k = 5) of real images that a generated one lies in, divided "
            "by k, mean over generated images; 1 for equal distributions",
            HIGHER,
        ),
        "coverage": Number(
            "share of real images with a generated one in their neighbourhood", HIGHER
        ),
    }

    @override
    def compute(self, compared: Compared) -> dict[str, float]:
        density, coverage = density_coverage(compared.real_rows, compared.fake_rows)
        return {"density": density, "coverage": coverage}


CHOICE = DensityCoverage()
