"""Precision and recall of generated images: how many are realistic, and how much is covered.

Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", 2019.
"""

import numpy as np

from robgan_tf.quality.moments import check_feature_sets, row_blocks


def precision_recall(real_features, fake_features, k=3, block_size=1000):
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
    real_radii = _squared_radii(real, origin, k, block_size)
    fake_radii = _squared_radii(fake, origin, k, block_size)
    fake_inside = np.zeros(len(fake), bool)
    real_inside = np.zeros(len(real), bool)
    for rows in row_blocks(len(real), block_size):
        for columns in row_blocks(len(fake), block_size):
            reals, fakes = real[rows], fake[columns]
            distances, errors = _squared_distances(reals, fakes, origin)
            _find_inside(
                fake_inside[columns], fakes, reals, real_radii[rows], distances.T, errors.T
            )
            _find_inside(real_inside[rows], reals, fakes, fake_radii[columns], distances, errors)
    return float(fake_inside.mean()), float(real_inside.mean())


def _squared_radii(features, origin, k, block_size):
    """float64 [n]: squared distance of each row to its k-th nearest other row."""
    blocks = row_blocks(len(features), block_size)
    nearest = np.full([len(features), k], np.inf)
    neighbours = np.zeros([len(features), k], np.int64)
    for index, rows in enumerate(blocks):
        for columns in blocks[index:]:
            distances, _ = _squared_distances(features[rows], features[columns], origin)
            if rows == columns:
                np.fill_diagonal(distances, np.inf)
            else:
                _keep_nearest(nearest[columns], neighbours[columns], distances.T, rows.start)
            _keep_nearest(nearest[rows], neighbours[rows], distances, columns.start)
    radii = np.zeros(len(features))
    for rows in blocks:
        for column in range(k):
            exact = _exact_distances(features[rows], features[neighbours[rows, column]])
            radii[rows] = np.maximum(radii[rows], exact)
    return radii


def _keep_nearest(nearest, neighbours, distances, start):
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


def _find_inside(inside, points, centres, radii, distances, errors):
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
        inside[rows] = _exact_distances(points[rows], centres[columns]) <= radii[columns]
        undecided[rows, columns] = False
        undecided[inside] = False


def _squared_distances(first, second, origin):
    """Computes squared distances by |x|^2 + |y|^2 - 2 x.y, seen from an origin.

    Returns:
      (distances, errors): float64 [m, n] both, the second an upper bound of the rounding error.
    """
    first, second = first - origin, second - origin
    norms = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)
    distances = norms - 2.0 * (first @ second.T)
    errors = norms * ((first.shape[1] + 4) * np.finfo(np.float64).eps)
    return np.maximum(distances, 0.0), errors


def _exact_distances(first, second):
    """float64 [n]: squared distances row by row; the same for the same two rows, either way."""
    return np.sum((first.astype(np.float64) - second.astype(np.float64)) ** 2, axis=1)
