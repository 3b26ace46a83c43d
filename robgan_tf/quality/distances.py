"""Distances between two sets of features, block by block, and how exact they are.

They come from matrix products in float64. Where rounding could decide on which side of a surface
a point lies, the difference of the two vectors decides instead, so that points that coincide, and
ties, count as they should.
"""

import numpy as np

from robgan_tf.quality.moments import row_blocks


def squared_radii(features: np.ndarray, origin: np.ndarray, k: int, block_size: int) -> np.ndarray:
    """float64 [n]: squared distance of each row to its k-th nearest other row.

    Args:
      features: [n, d].
      origin: [d], near the features, so that little cancels.
      k: which neighbour.
      block_size: rows compared at a time.
    """
    blocks = row_blocks(len(features), block_size)
    nearest = np.full([len(features), k], np.inf)
    neighbours = np.zeros([len(features), k], np.int64)
    for index, rows in enumerate(blocks):
        for columns in blocks[index:]:
            distances, _ = squared_distances(features[rows], features[columns], origin)
            if rows == columns:
                np.fill_diagonal(distances, np.inf)
            else:
                _keep_nearest(nearest[columns], neighbours[columns], distances.T, rows.start)
            _keep_nearest(nearest[rows], neighbours[rows], distances, columns.start)
    radii = np.zeros(len(features))
    for rows in blocks:
        for column in range(k):
            exact = exact_distances(features[rows], features[neighbours[rows, column]])
            radii[rows] = np.maximum(radii[rows], exact)
    return radii


def _keep_nearest(
    nearest: np.ndarray, neighbours: np.ndarray, distances: np.ndarray, start: int
) -> None:
    """Replaces, in place, what is known of the nearest rows by what is nearer.

    Args:
      nearest: [n, k], the k smallest distances of each of n rows so far.
      neighbours: int [n, k], to which rows.
      distances: [n, b], distances to b more rows.
      start: number of the first of these.
    """
    k = nearest.shape[1]
    candidates = np.concatenate([nearest, distances], axis=1)
    chosen = np.argpartition(candidates, k - 1, axis=1)[:, :k]
    known = np.take_along_axis(neighbours, np.minimum(chosen, k - 1), axis=1)
    neighbours[...] = np.where(chosen < k, known, chosen - k + start)
    nearest[...] = np.take_along_axis(candidates, chosen, axis=1)


def squared_distances(
    first: np.ndarray, second: np.ndarray, origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Computes squared distances by |x|^2 + |y|^2 - 2 x.y, seen from an origin.

    Args:
      first: [m, d].
      second: [n, d].
      origin: [d], near both, so that little cancels.

    Returns:
      (distances, errors): float64 [m, n] both, the second an upper bound of the rounding error.
    """
    first, second = first - origin, second - origin
    norms = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)
    distances = norms - 2.0 * (first @ second.T)
    errors = norms * ((first.shape[1] + 4) * np.finfo(np.float64).eps)
    return np.maximum(distances, 0.0), errors


def exact_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [n]: squared distances row by row; the same for the same two rows, either way."""
    return np.sum((first.astype(np.float64) - second.astype(np.float64)) ** 2, axis=1)
