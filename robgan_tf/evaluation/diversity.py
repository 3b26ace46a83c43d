"""How different the images of one class are from each other: what a collapse of G takes away.

Two views, of features and of pixels: the mean distance between two images of a class in feature
space, and their mean multi-scale structural similarity (MS-SSIM; Wang et al., 2003; used for this
by Odena et al., ICML 2017, AC-GAN), which is 1 where all are the same.
"""

import numpy as np
import tensorflow as tf

# More of a class add time, which grows with the square, and hardly any precision.
MOST_OF_A_CLASS = 200
# Weights of the scales as published; the coarsest are left out of images too small for them.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11  # pixels, side of the Gaussian window of SSIM


def within_class_distance(features, labels):
    """Mean Euclidean distance between two different images of a class.

    Args:
      features: [N, d], of the images in random order; the first 200 of a class are used.
      labels: [N] their classes.

    Returns:
      Dict from class to distance; classes with fewer than two images are left out.
    """
    distances = {}
    for label, rows in _images_of_classes(labels):
        chosen = np.asarray(features[rows[:MOST_OF_A_CLASS]], np.float64)
        # Centred, so that little cancels where a class is far from the origin.
        chosen -= chosen.mean(axis=0)
        squares = np.sum(chosen**2, axis=1)
        squared = squares[:, None] + squares[None, :] - 2.0 * chosen @ chosen.T
        pairs = np.triu_indices(len(chosen), k=1)
        distances[label] = float(np.sqrt(np.maximum(squared[pairs], 0.0)).mean())
    return distances


def within_class_similarity(images, labels, pairs=20):
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
    for label, rows in _images_of_classes(labels):
        count = min(pairs, len(rows) // 2)
        first, second = images[rows[:count]], images[rows[count : 2 * count]]
        values = _ms_ssim(tf.constant(first), tf.constant(second), scales, window)
        similarities[label] = float(tf.reduce_mean(values))
    return similarities


def _scales(side):
    """How many scales images of this side have, and the window."""
    window = min(WINDOW, side)
    scales = 1
    while scales < len(SCALE_WEIGHTS) and side >> scales >= window:
        scales += 1
    return scales, window


def _ms_ssim(first, second, scales, window):
    weights = np.array(SCALE_WEIGHTS[:scales])
    return tf.image.ssim_multiscale(
        first, second, 255, power_factors=tuple(weights / weights.sum()), filter_size=window
    )


def _images_of_classes(labels):
    """(class, indices of its images) of each class with at least two images."""
    labels = np.asarray(labels)
    found = ((int(label), np.flatnonzero(labels == label)) for label in np.unique(labels))
    return [(label, rows) for label, rows in found if len(rows) >= 2]
