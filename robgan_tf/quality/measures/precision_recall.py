"""Precision and recall of generated images: how many are realistic, and how much is covered.

Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", 2019.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from robgan_tf.quality.distances import exact_distances, squared_distances, squared_radii
from robgan_tf.quality.measure import HIGHER, Compared, Measure, Number, check_neighbours
from robgan_tf.quality.moments import check_feature_sets, row_blocks

NEIGHBOURS = 3


def precision_recall(
    real_features: np.ndarray, fake_features: np.ndarray, k: int = 3, block_size: int = 1000
) -> tuple[float, float]:
    """Computes the share of each set that lies within the balls around the other set's points.

    The ball around a point reaches to its k-th nearest neighbour in the point's own set, and
    includes its surface. The point itself is not its neighbour; a duplicate of it is, at distance
    0. Distances are Euclidean.

    Distances come from matrix products in float64. Where rounding could decide on which side of a
    surface a point lies, it is decided by the difference of the two vectors instead. So points
    that coincide, and ties, count as they should.

    Args:
      real_features: [m, d], at least k + 1 rows, finite.
      fake_features: [n, d], likewise.
      k: which neighbour a ball reaches to, at least 1.
      block_size: rows of either set that are compared at a time. It bounds the memory, to about
        8 (6 block_size^2 + 4 block_size d) bytes, and does not change the result, except where
        rounding hides which of two neighbours is the k-th.

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
    real_radii = squared_radii(real, origin, k, block_size)
    fake_radii = squared_radii(fake, origin, k, block_size)
    fake_inside = np.zeros(len(fake), bool)
    real_inside = np.zeros(len(real), bool)
    for rows in row_blocks(len(real), block_size):
        for columns in row_blocks(len(fake), block_size):
            reals, fakes = real[rows], fake[columns]
            distances, errors = squared_distances(reals, fakes, origin)
            _find_inside(
                fake_inside[columns], fakes, reals, real_radii[rows], distances.T, errors.T
            )
            _find_inside(real_inside[rows], reals, fakes, fake_radii[columns], distances, errors)
    return float(fake_inside.mean()), float(real_inside.mean())


def _find_inside(
    inside: np.ndarray,
    points: np.ndarray,
    centres: np.ndarray,
    radii: np.ndarray,
    distances: np.ndarray,
    errors: np.ndarray,
) -> None:
    """Marks, in place, the points that lie in at least one ball.

    Args:
      inside: bool [n]; what is marked already is not looked at again.
      points: [n, d].
      centres: [b, d].
      radii: float64 [b], squared.
      distances: float64 [n, b], squared, from points to centres.
      errors: float64 [n, b], by how much these may be wrong.
    """
    gaps = distances - radii
    inside |= (gaps < -errors).any(axis=1)
    undecided = np.abs(gaps) <= errors
    undecided[inside] = False
    # One ball for each point at a time: among duplicates the first will do, and memory is bounded.
    while undecided.any():
        rows = np.flatnonzero(undecided.any(axis=1))
        columns = undecided[rows].argmax(axis=1)
        inside[rows] = exact_distances(points[rows], centres[columns]) <= radii[columns]
        undecided[rows, columns] = False
        undecided[inside] = False


class PrecisionRecall(Measure):
    """Of the images that are compared one by one, with the balls to the third neighbour."""

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

    @override
    def rest_of_name(self, compared: Compared) -> str:
        return compared.of_pairs

    @override
    def check_counts(self, real: int, fake: int, splits: int) -> None:
        check_neighbours("precision and recall", real, fake, NEIGHBOURS)


CHOICE = PrecisionRecall()
