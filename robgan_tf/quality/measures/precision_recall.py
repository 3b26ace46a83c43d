"""Precision and recall of generated images: how many are realistic, and how much is covered.

Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", 2019.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from robgan_tf.quality.distances import BLOCK_SIZE, inside_balls
from robgan_tf.quality.measure import HIGHER, Compared, Number, RowMeasure
from robgan_tf.quality.moments import check_feature_sets, row_blocks
from robgan_tf.quality.neighbours import nearest_others

NEIGHBOURS = 3


def precision_recall(
    real_features: np.ndarray,
    fake_features: np.ndarray,
    k: int = NEIGHBOURS,
    block_size: int = BLOCK_SIZE,
) -> tuple[float, float]:
    """Computes the share of each set that lies within the balls around the other set's points.

    The ball around a point reaches to its k-th nearest neighbour in the point's own set, and
    includes its surface. The point itself is not its neighbour; a duplicate of it is, at distance
    0. Distances are Euclidean. Rounding decides nothing: see `distances`.

    Args:
      real_features: [m, d], at least k + 1 rows, finite.
      fake_features: [n, d], likewise.
      k: which neighbour a ball reaches to, at least 1.
      block_size: rows of either set that are compared at a time. It bounds the memory, to about
        8 (6 block_size^2 + 4 block_size d) bytes, and does not change the result.

    Returns:
      (precision, recall) as floats in [0, 1]: the share of fakes in balls around reals, and of
      reals in balls around fakes.

    Raises:
      ValueError: if k or `block_size` is less than 1, a set is not a matrix, has fewer than k + 1
        rows or is not finite, or the widths differ.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    real, fake = check_feature_sets(
        {"real_features": real_features, "fake_features": fake_features}, k + 1
    )
    # Far from the origin, differences of large squares would be left with few digits.
    origin = real.mean(axis=0, dtype=np.float64)
    precision = _covered(fake, real, k, origin, block_size).mean()
    recall = _covered(real, fake, k, origin, block_size).mean()
    return float(precision), float(recall)


def _covered(
    points: np.ndarray, centres: np.ndarray, k: int, origin: np.ndarray, block_size: int
) -> np.ndarray:
    """Bool [n]: whether each point is in at least one ball around a centre."""
    radii = nearest_others(centres, k, block_size).squared[:, -1]
    covered = np.zeros(len(points), bool)
    for rows in row_blocks(len(points), block_size):
        for columns in row_blocks(len(centres), block_size):
            # One ball for each point will do.
            left = rows.start + np.flatnonzero(~covered[rows])
            inside = inside_balls(
                points[left], centres[columns], radii[columns], origin, surface=True
            )
            covered[left] = inside.any(axis=1)
    return covered


class PrecisionRecall(RowMeasure):
    """Of the images that are compared one by one, with the balls to the third neighbour."""

    neighbours = NEIGHBOURS
    numbers: ClassVar[Mapping[str, Number]] = {
        "precision": Number(
            "share of generated images within the neighbourhoods (k = 3) of real ones", HIGHER
        ),
        "recall": Number(
            "share of real images within the neighbourhoods of generated ones", HIGHER
        ),
    }

    @override
    def compute(self, compared: Compared) -> dict[str, float]:
        precision, recall = precision_recall(compared.real_rows, compared.fake_rows, NEIGHBOURS)
        return {"precision": precision, "recall": recall}


CHOICE = PrecisionRecall()
