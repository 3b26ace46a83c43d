"""Fréchet distance between two Gaussians: on features of Inception, the FID.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium", 2017.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from robgan_tf.quality.measure import LOWER, Compared, Measure, Number

# What float64 may get wrong in a covariance, relative to its largest entry or eigenvalue. It is
# generous: rounding leaves about 1e-15. A covariance that was accumulated in float32 is worse by
# far, and its errors of 1e-7 would enter the distance as their square roots.
COVARIANCE_TOLERANCE = 1e-10


def frechet_distance(
    mean_1: np.ndarray, covariance_1: np.ndarray, mean_2: np.ndarray, covariance_2: np.ndarray
) -> float:
    """Computes |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^(1/2) C2 C1^(1/2))^(1/2)).

    This is the squared 2-Wasserstein distance of two Gaussians, and what is called FID. The trace
    of the last square root is the sum of the singular values of C1^(1/2) C2^(1/2). So no root of
    a matrix that is not symmetric is needed, which may come out complex, and none of eigenvalues
    that rounding has left near zero: singular values are as exact when covariances are singular,
    from fewer images than dimensions, as otherwise.

    Args:
      mean_1: [d].
      covariance_1: [d, d], symmetric and positive semidefinite; of any rank.
      mean_2: [d].
      covariance_2: [d, d], likewise.

    Returns:
      A float, at least 0; symmetric in the two Gaussians up to rounding, which is about 1e-12 of
      the traces for equal Gaussians; where the variances of one span more than ten decades, the
      smallest count as zero, which may cost 1e-6 of the distance.

    Raises:
      ValueError: if shapes do not fit, an entry is not finite, or a covariance is not symmetric
        or has a negative eigenvalue, beyond `COVARIANCE_TOLERANCE`.
    """
    mean_1, covariance_1 = _check_moments(mean_1, covariance_1, 1)
    mean_2, covariance_2 = _check_moments(mean_2, covariance_2, 2)
    if len(mean_1) != len(mean_2):
        raise ValueError(
            f"both Gaussians must have as many dimensions, not {len(mean_1)} and {len(mean_2)}"
        )
    root_1 = _square_root(covariance_1, "covariance_1")
    root_2 = _square_root(covariance_2, "covariance_2")
    overlap = np.linalg.svd(root_1.T @ root_2, compute_uv=False).sum()
    difference = mean_1 - mean_2
    distance = difference @ difference + np.trace(covariance_1 + covariance_2) - 2 * overlap
    # For equal Gaussians rounding falls on either side of zero.
    return max(0.0, float(distance))


def _check_moments(
    mean: np.ndarray, covariance: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    mean = np.asarray(mean, np.float64)
    covariance = np.asarray(covariance, np.float64)
    if mean.ndim != 1 or covariance.shape != 2 * mean.shape:
        raise ValueError(
            f"mean_{number} must be [d] and covariance_{number} [d, d], not "
            f"{list(mean.shape)} and {list(covariance.shape)}"
        )
    for name, array in (("mean", mean), ("covariance", covariance)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name}_{number} must be finite")
    return mean, covariance


def _square_root(covariance: np.ndarray, name: str) -> np.ndarray:
    """Returns a matrix [d, rank] that times its own transpose is the covariance."""
    asymmetry = np.abs(covariance - covariance.T).max(initial=0.0)
    if asymmetry > COVARIANCE_TOLERANCE * np.abs(covariance).max(initial=0.0):
        raise ValueError(
            f"{name} must be symmetric, and differs from its transpose by {asymmetry:.3g}"
        )
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    largest = np.abs(values).max(initial=0.0)
    if values.min(initial=0.0) < -COVARIANCE_TOLERANCE * largest:
        raise ValueError(
            f"{name} must have no negative eigenvalue beyond rounding in float64, and has "
            f"{values.min():.3g} where the largest is {largest:.3g}: accumulate it in float64"
        )
    # Eigenvalues below this are zeros that rounding has moved to either side.
    positive = values > len(values) * np.finfo(np.float64).eps * largest
    return vectors[:, positive] * np.sqrt(values[positive])


class FrechetDistance(Measure):
    """Of the features of all images; with few images it is biased upwards."""

    numbers: ClassVar[Mapping[str, Number]] = {
        "fid": Number(
            "Fréchet distance of two Gaussians fitted to the features. With few images it is "
            "biased upwards",
            LOWER,
        )
    }

    @override
    def compute(self, compared: Compared) -> dict[str, float]:
        return {"fid": frechet_distance(*compared.real.moments(), *compared.fake.moments())}


CHOICE = FrechetDistance()
