"""How different the images of one class are from each other: what a collapse of G takes away.

Three views. In feature space, the mean distance between two images of a class sees that all are
alike, and the distance to the nearest one that a few are repeated. In pixels, their mean
multi-scale structural similarity (MS-SSIM; Wang et al., 2003; used for this by Odena et al.,
ICML 2017, AC-GAN) is 1 where all are the same.
"""

import numpy as np
import tensorflow as tf
from scipy.spatial.distance import pdist

from robgan_tf.quality.neighbours import nearest_others

# More of a class add time, which grows with the square, and hardly any precision.
MOST_OF_A_CLASS = 200
# Weights of the scales as published; the coarsest are left out of images too small for them.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
PAIRS = 20  # of a class, whose MS-SSIM is averaged
WINDOW = 11  # pixels, side of the Gaussian window of SSIM


def within_class_distance(features: np.ndarray, labels: np.ndarray) -> dict[int, float]:
    """Mean Euclidean distance between two different images of a class.

    Args:
      features: [N, d], of the images in random order; the first 200 of a class are used.
      labels: [N] their classes.

    Returns:
      Dict from class to distance; classes with fewer than two images are left out.
    """
    return {
        label: float(pdist(features[rows[:MOST_OF_A_CLASS]].astype(np.float64)).mean())
        for label, rows in _images_of_classes(labels).items()
    }


def nearest_neighbour_shares(
    real_features: np.ndarray,
    real_labels: np.ndarray,
    fake_features: np.ndarray,
    fake_labels: np.ndarray,
) -> dict[int, float]:
    """Mean distance to the nearest other image of the class, as a share of the real images' one.

    It is near 0 where a generator repeats a few images of a class, however different these are.
    Equally many of both are used, at most 200 of a class, since more images are nearer.

    Args:
      real_features: [N, d], in random order.
      real_labels: [N] their classes.
      fake_features: [M, d], in random order.
      fake_labels: [M] their classes.

    Returns:
      Dict from class to share; classes with fewer than two images of either kind, or whose real
      images are all equal, are left out.
    """
    shares = {}
    real_rows = _images_of_classes(real_labels)
    for label, fake_rows in _images_of_classes(fake_labels).items():
        if label not in real_rows:
            continue
        count = min(len(real_rows[label]), len(fake_rows), MOST_OF_A_CLASS)
        real, fake = (
            float(nearest_others(features[rows[:count]], 1).distances.mean())
            for features, rows in ((real_features, real_rows[label]), (fake_features, fake_rows))
        )
        if real > 0.0:
            shares[label] = fake / real
    return shares


def within_class_similarity(
    images: np.ndarray, labels: np.ndarray, pairs: int = PAIRS
) -> dict[int, float]:
    """Mean MS-SSIM of pairs of different images of a class.

    Args:
      images: uint8 [N, H, W, C], in random order; the first of each class are used.
      labels: [N] their classes.
      pairs: how many pairs of a class, of different images as far as they last.

    Returns:
      Dict from class to similarity, 1 where all are the same; classes with fewer than two images
      are left out.
    """
    scales, window = _scales(images.shape[1])
    similarities = {}
    for label, rows in _images_of_classes(labels).items():
        count = min(pairs, len(rows) // 2)
        first, second = images[rows[:count]], images[rows[count : 2 * count]]
        values = _ms_ssim(tf.constant(first), tf.constant(second), scales, window)
        similarities[label] = float(tf.reduce_mean(values))
    return similarities


def _scales(side: int) -> tuple[int, int]:
    """How many scales images of this side have, and the window."""
    window = min(WINDOW, side)
    scales = 1
    while scales < len(SCALE_WEIGHTS) and side >> scales >= window:
        scales += 1
    return scales, window


def _ms_ssim(first: tf.Tensor, second: tf.Tensor, scales: int, window: int) -> tf.Tensor:
    weights = np.array(SCALE_WEIGHTS[:scales])
    return tf.image.ssim_multiscale(
        first, second, 255, power_factors=tuple(weights / weights.sum()), filter_size=window
    )


def _images_of_classes(labels: np.ndarray) -> dict[int, np.ndarray]:
    """Dict from class to the indices of its images, of each class with at least two images."""
    labels = np.asarray(labels)
    found = ((int(label), np.flatnonzero(labels == label)) for label in np.unique(labels))
    return {label: rows for label, rows in found if len(rows) >= 2}


def first_of_each_class(labels: np.ndarray, most: int) -> np.ndarray:
    """Indices of the first `most` images of each class, int [n]."""
    labels = np.asarray(labels)
    return np.concatenate([np.flatnonzero(labels == label)[:most] for label in np.unique(labels)])
