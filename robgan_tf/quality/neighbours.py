"""The nearest neighbours of features among others: the one search that every measure uses.

scikit-learn finds a few more than are asked for, by matrix products in float64; the differences
of the vectors decide among these. So a duplicate is at exactly 0, and equally far is equally far.
"""

import dataclasses

import numpy as np
from sklearn.neighbors import NearestNeighbors

from robgan_tf.quality.distances import BLOCK_SIZE, exact_distances
from robgan_tf.quality.moments import check_feature_sets, row_blocks

# Rounding in a matrix product could swap neighbours that are almost equally far.
_SPARE = 5


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """The k nearest of some candidates for each of N points, the nearest first.

    Attributes:
      indices: int [N, k], which candidates.
      squared: float64 [N, k], squared Euclidean distances.
    """

    indices: np.ndarray
    squared: np.ndarray

    @property
    def distances(self) -> np.ndarray:
        """float64 [N, k], Euclidean."""
        return np.sqrt(self.squared)


def nearest(
    features: np.ndarray,
    candidates: np.ndarray,
    k: int,
    excluded: np.ndarray | None = None,
    block_size: int = BLOCK_SIZE,
) -> Neighbours:
    """Finds the nearest neighbours.

    Distances are sums of squared differences in float64; of candidates equally far the first comes
    first.

    Args:
      features: [n, d], finite.
      candidates: [m, d], finite; at least k, and one more where some are excluded.
      k: how many neighbours, at least 1.
      excluded: int [n], the candidate that is not a neighbour of each row; or None.
      block_size: rows of either set that are compared at a time; it bounds the memory, to a few
        times 8 block_size (block_size + d) bytes beside the result.

    Returns:
      Neighbours.

    Raises:
      ValueError: if k or `block_size` is less than 1, there are too few candidates, a set is not a
        finite matrix, or the widths differ.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    least = k + (excluded is not None)
    (candidates,) = check_feature_sets({"candidates": candidates}, least)
    features, _ = check_feature_sets({"features": features, "candidates": candidates[:1]}, 1)
    # Far from the origin, differences of large squares would be left with few digits.
    origin = candidates.mean(axis=0, dtype=np.float64)
    found = np.concatenate(
        [
            _found(features[rows] - origin, candidates, origin, least + _SPARE, block_size)
            for rows in row_blocks(len(features), block_size)
        ]
    )
    squared = np.stack(
        [
            exact_distances(row, candidates[chosen])
            for row, chosen in zip(features, found, strict=True)
        ]
    )
    if excluded is not None:
        squared[found == np.asarray(excluded)[:, None]] = np.inf
    order = np.lexsort((found, squared), axis=1)[:, :k]
    return Neighbours(
        np.take_along_axis(found, order, axis=1), np.take_along_axis(squared, order, axis=1)
    )


def nearest_others(features: np.ndarray, k: int, block_size: int = BLOCK_SIZE) -> Neighbours:
    """The nearest neighbours of each row [n, d] among the other rows, at least k; as `nearest`."""
    return nearest(features, features, k, np.arange(len(features)), block_size)


def _found(
    points: np.ndarray, candidates: np.ndarray, origin: np.ndarray, count: int, block_size: int
) -> np.ndarray:
    """Finds candidates that are nearest but for rounding.

    Args:
      points: float64 [n, d], less the origin.
      candidates: [m, d].
      origin: [d].
      count: how many of them.
      block_size: candidates compared at a time.

    Returns:
      int [n, count], or [n, m] if there are not as many.
    """
    indices, distances = [], []
    for block in row_blocks(len(candidates), block_size):
        search = NearestNeighbors(algorithm="brute").fit(candidates[block] - origin)
        away, index = search.kneighbors(points, min(count, block.stop - block.start))
        indices.append(index + block.start)
        distances.append(away)
    chosen = np.argsort(np.hstack(distances), axis=1, kind="stable")[:, :count]
    return np.take_along_axis(np.hstack(indices), chosen, axis=1)
