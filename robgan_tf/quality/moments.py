"""Mean and covariance of features that arrive batch by batch, in bounded memory.

They are what the Fréchet distance needs to know of a set of images. The update is the pairwise
one of Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
Variances", 1979: sums of squares are taken about means, never about zero.
"""

from collections.abc import Mapping

import numpy as np

BLOCK_SIZE = 256


class FeatureStatistics:
    """Count, mean and covariance of the features of a set of images, in float64.

    Rows are gathered into blocks of `BLOCK_SIZE` before they are counted. So it makes no
    difference, to the last bit, in which batches they come, unless a result is read or merged in
    between, which changes its rounding. What is held takes 8 d (d + 256) bytes, 36 MiB for 2,048
    dimensions; an update adds another matrix [d, d] for its duration. Statistics of each class are
    as many objects, one for a class.

    Args:
      dimensions: d, the length of a feature vector, at least 1.

    Raises:
      ValueError: if `dimensions` is less than 1.
    """

    def __init__(self, dimensions: int) -> None:
        if dimensions < 1:
            raise ValueError(f"dimensions must be at least 1, not {dimensions}")
        self.dimensions = dimensions
        self._count = 0
        self._mean = np.zeros(dimensions)
        # The sum of (x - mean) (x - mean)^T.
        self._scatter = np.zeros([dimensions, dimensions])
        self._waiting = np.empty([BLOCK_SIZE, dimensions])
        self._waiting_count = 0

    @property
    def count(self) -> int:
        """How many feature vectors were given."""
        return self._count + self._waiting_count

    @property
    def mean(self) -> np.ndarray:
        """float64 [d]; ValueError if nothing was given."""
        self._count_waiting()
        if self._count < 1:
            raise ValueError("a mean needs at least 1 feature vector, and none was given")
        return self._mean.copy()

    @property
    def covariance(self) -> np.ndarray:
        """float64 [d, d], unbiased (divided by count - 1); ValueError for fewer than 2 vectors."""
        self._count_waiting()
        if self._count < 2:
            raise ValueError(
                f"a covariance needs at least 2 feature vectors, and {self._count} were given"
            )
        return self._scatter / (self._count - 1)

    def update(self, features: np.ndarray) -> None:
        """Counts a batch.

        Args:
          features: array [n, d] of finite numbers; n may be 0.

        Raises:
          ValueError: if the shape is another or a feature is not finite; nothing of the batch is
            counted then.
        """
        features = check_features(features, "features")
        if features.shape[1] != self.dimensions:
            raise ValueError(f"features must be [n, {self.dimensions}], not {list(features.shape)}")
        start = 0
        while start < len(features):
            taken = features[start : start + BLOCK_SIZE - self._waiting_count]
            end = self._waiting_count + len(taken)
            self._waiting[self._waiting_count : end] = taken
            self._waiting_count = end
            start += len(taken)
            if end == BLOCK_SIZE:
                self._count_waiting()

    def merge(self, other: "FeatureStatistics") -> None:
        """Counts everything that another FeatureStatistics has counted, which stays as it is.

        Args:
          other: a FeatureStatistics of as many dimensions.

        Raises:
          ValueError: if its dimensions are others.
        """
        if other.dimensions != self.dimensions:
            raise ValueError(
                f"statistics of {self.dimensions} dimensions cannot take in statistics of "
                f"{other.dimensions}"
            )
        self._count_waiting()
        other._count_waiting()
        if other._count:
            step = self._move_mean(other._count, other._mean)
            self._scatter += other._scatter
            self._scatter += np.outer(step, step)

    def _count_waiting(self) -> None:
        if not self._waiting_count:
            return
        block = self._waiting[: self._waiting_count]
        block_mean = block.mean(axis=0)
        step = self._move_mean(len(block), block_mean)
        rows = np.vstack([block - block_mean, step])
        self._scatter += rows.T @ rows
        self._waiting_count = 0

    def _move_mean(self, count: int, mean: np.ndarray) -> np.ndarray:
        """Includes `count` vectors of the given mean in count and mean.

        Returns:
          The vector [d] whose outer product with itself is what the distance between the two
          means adds to the scatter.
        """
        total = self._count + count
        difference = mean - self._mean
        step = difference * np.sqrt(self._count / total * count)
        self._mean += difference * (count / total)
        self._count = total
        return step


def check_features(features: np.ndarray, name: str) -> np.ndarray:
    """Makes an array of features and checks it.

    Args:
      features: array [n, d] of finite numbers.
      name: what to call it in a message.

    Returns:
      The array, of whatever type it was.

    Raises:
      ValueError: if it is not a matrix with at least one column, or a feature is not finite.
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] < 1:
        raise ValueError(f"{name} must be a matrix [n, d], not of shape {list(features.shape)}")
    if np.iscomplexobj(features):
        raise ValueError(f"{name} must be real numbers, not {features.dtype}")
    for block in row_blocks(len(features), BLOCK_SIZE):
        if not np.isfinite(features[block]).all():
            row = block.start + np.argmin(np.isfinite(features[block]).all(axis=1))
            raise ValueError(f"{name} must be finite, and row {row} is not")
    return features


def check_feature_sets(sets: Mapping[str, np.ndarray], least: int) -> list[np.ndarray]:
    """Makes arrays of the features of sets that are to be compared, and checks them.

    Args:
      sets: dict from names, for messages, to arrays [n, d] of finite numbers.
      least: the smallest n allowed.

    Returns:
      A list of the arrays.

    Raises:
      ValueError: if `check_features` finds fault with one, one is too small, or the widths differ.
    """
    checked = {name: check_features(features, name) for name, features in sets.items()}
    for name, features in checked.items():
        if len(features) < least:
            raise ValueError(f"{name} must have at least {least} rows, not {len(features)}")
    widths = {name: features.shape[1] for name, features in checked.items()}
    if len(set(widths.values())) > 1:
        shown = " and ".join(f"{name} has {width}" for name, width in widths.items())
        raise ValueError(f"features must be of the same width: {shown}")
    return list(checked.values())


def row_blocks(count: int, block_size: int) -> list[slice]:
    """Splits `count` rows into consecutive slices of `block_size`, the last one shorter.

    Raises:
      ValueError: if `block_size` is less than 1.
    """
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, not {block_size}")
    return [slice(start, min(start + block_size, count)) for start in range(0, count, block_size)]
