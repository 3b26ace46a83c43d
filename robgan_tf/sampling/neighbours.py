"""The nearest training images of samples in feature space: does a generator memorise?

A distance alone says little, so it is compared with how far training images lie from their own
nearest neighbours: a memorised image is much nearer than that.
"""

import dataclasses

import numpy as np
from sklearn.neighbors import NearestNeighbors

from robgan_tf.data import evenly_spaced_rows
from robgan_tf.quality.moments import check_feature_sets

# Rounding in a matrix product could swap neighbours that are almost equally far.
_SPARE = 5
# More would change the median by little and cost much.
MOST_MEASURED = 1000


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """The k nearest of some images for each of N others, the nearest first.

    Attributes:
      indices: int [N, k], which images.
      distances: float64 [N, k], Euclidean.
    """

    indices: np.ndarray
    distances: np.ndarray


def nearest(
    features: np.ndarray, candidates: np.ndarray, k: int, excluded: np.ndarray | None = None
) -> Neighbours:
    """Finds the nearest neighbours.

    Distances are sums of squared differences in float64, so that a duplicate is at exactly 0; of
    candidates equally far the first comes first.

    Args:
      features: [n, d], finite.
      candidates: [m, d], finite; at least k, and one more where some are excluded.
      k: how many neighbours, at least 1.
      excluded: int [n], the candidate that is not a neighbour of each row; or None.

    Returns:
      Neighbours.

    Raises:
      ValueError: if k is less than 1, there are too few candidates, a set is not a finite matrix,
        or the widths differ.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    least = k + (excluded is not None)
    (candidates,) = check_feature_sets({"candidates": candidates}, least)
    features, _ = check_feature_sets({"features": features, "candidates": candidates[:1]}, 1)
    # Far from the origin, differences of large squares would be left with few digits.
    origin = candidates.mean(axis=0, dtype=np.float64)
    search = NearestNeighbors(algorithm="brute").fit(candidates - origin)
    kept = min(least + _SPARE, len(candidates))
    found = search.kneighbors(features - origin, kept, return_distance=False)
    exact = np.stack(
        [
            np.linalg.norm(row.astype(np.float64) - candidates[chosen].astype(np.float64), axis=1)
            for row, chosen in zip(features, found, strict=True)
        ]
    )
    if excluded is not None:
        exact[found == np.asarray(excluded)[:, None]] = np.inf
    order = np.lexsort((found, exact), axis=1)[:, :k]
    return Neighbours(
        np.take_along_axis(found, order, axis=1), np.take_along_axis(exact, order, axis=1)
    )


def median_nearest_distance(features: np.ndarray) -> float:
    """The median distance of an image to its nearest neighbour in its own set.

    Args:
      features: [m, d], finite, at least 2 rows.

    Returns:
      A float: over all images, or over `MOST_MEASURED` of them, evenly spaced.
    """
    rows = evenly_spaced_rows(len(features), MOST_MEASURED)
    return float(np.median(nearest(features[rows], features, 1, excluded=rows).distances))
