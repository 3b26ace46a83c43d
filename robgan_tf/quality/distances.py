"""Squared distances of features, exactly: what decides whether a point lies in a ball.

Most come from matrix products in float64. Where rounding could decide on which side of a surface
a point lies, the difference of the two vectors decides instead, so that points that coincide, and
ties, count as they should.
"""

import numpy as np

from robgan_tf.quality.moments import row_blocks

# Rows of either set that are compared at a time.
BLOCK_SIZE = 1000
# Numbers in the vectors whose differences are taken at a time.
_EXACT_NUMBERS = 2**21


def inside_balls(
    points: np.ndarray,
    centres: np.ndarray,
    squared_radii: np.ndarray,
    origin: np.ndarray,
    surface: bool,
) -> np.ndarray:
    """Finds which points lie in which balls.

    Args:
      points: [n, d].
      centres: [b, d].
      squared_radii: float64 [b].
      origin: [d], near both, so that little cancels.
      surface: whether it belongs to the ball.

    Returns:
      Bool [n, b].
    """
    distances, errors = _squared_distances(points, centres, origin)
    gaps = distances - squared_radii
    inside = gaps < 0.0
    undecided = np.argwhere(np.abs(gaps) <= errors)
    # A few at a time: of sets full of duplicates nearly all may be.
    for piece in row_blocks(len(undecided), max(1, _EXACT_NUMBERS // points.shape[1])):
        rows, columns = undecided[piece].T
        exact = exact_distances(points[rows], centres[columns])
        radii = squared_radii[columns]
        inside[rows, columns] = exact <= radii if surface else exact < radii
    return inside


def exact_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [n]: squared distances row by row; the same for the same two rows, either way."""
    return np.sum((first.astype(np.float64) - second.astype(np.float64)) ** 2, axis=1)


def _squared_distances(
    first: np.ndarray, second: np.ndarray, origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Computes squared distances by |x|^2 + |y|^2 - 2 x.y, seen from an origin.

    Returns:
      (distances, errors): float64 [m, n] both, the second an upper bound of the rounding error.
    """
    first, second = first - origin, second - origin
    norms = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)
    distances = norms - 2.0 * (first @ second.T)
    errors = norms * ((first.shape[1] + 4) * np.finfo(np.float64).eps)
    return np.maximum(distances, 0.0), errors
