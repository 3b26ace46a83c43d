"""Diversity within classes, against brute force and an SSIM written out in numpy."""

import numpy as np
import pytest
import scipy.signal
import scipy.spatial

from robgan_tf.quality.diversity import (
    SCALE_WEIGHTS,
    nearest_neighbour_shares,
    within_class_distance,
    within_class_similarity,
)


def test_distance_is_the_mean_over_all_pairs_of_a_class():
    rng = np.random.default_rng(0)
    features = rng.normal(1000.0, 1.0, [90, 7]).astype(np.float32)
    labels = np.array([2] * 40 + [5] * 49 + [7])
    found = within_class_distance(features, labels)
    assert set(found) == {2, 5}  # One image alone has no distance.
    for label in found:
        pairs = scipy.spatial.distance.pdist(features[labels == label].astype(np.float64))
        assert found[label] == pytest.approx(pairs.mean(), rel=1e-9)


def nearest(features):
    distances = scipy.spatial.distance.cdist(features, features)
    return np.sort(distances, axis=1)[:, 1].mean()


def test_shares_of_nearest_distances_are_of_equally_many():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(1000.0, 1.0, [90, 7]), rng.normal(1000.0, 2.0, [60, 7])
    real_labels, fake_labels = np.array([2] * 50 + [5] * 39 + [7]), np.array([2, 5, 7] * 20)
    found = nearest_neighbour_shares(real, real_labels, fake, fake_labels)
    assert set(found) == {2, 5}  # One real image alone has no neighbour.
    for label, share in found.items():
        sets = [x[y == label][:20] for x, y in ((real, real_labels), (fake, fake_labels))]
        assert share == pytest.approx(nearest(sets[1]) / nearest(sets[0]), rel=1e-6)


def test_few_images_repeated_have_no_distance_to_the_nearest():
    rng = np.random.default_rng(1)
    real, zeros = rng.normal(size=[200, 64]), np.zeros(200)
    repeated = rng.normal(size=[20, 64])[np.arange(200) % 20] + 1e-3 * rng.normal(size=[200, 64])
    assert within_class_distance(repeated, zeros)[0] > 0.9 * within_class_distance(real, zeros)[0]
    assert nearest_neighbour_shares(real, zeros, repeated, zeros)[0] < 0.01
    assert nearest_neighbour_shares(real, zeros, rng.normal(size=[200, 64]), zeros)[
        0
    ] == pytest.approx(1.0, abs=0.02)
    assert nearest_neighbour_shares(np.ones([5, 2]), np.zeros(5), real[:, :2], zeros) == {}


def test_equal_images_have_no_distance():
    assert within_class_distance(np.full([5, 3], 1e4, np.float32), np.zeros(5)) == {0: 0.0}


def gaussian_window(side):
    offsets = np.arange(side) - (side - 1) / 2.0
    one = np.exp(-(offsets**2) / (2.0 * 1.5**2))
    return np.outer(one, one) / one.sum() ** 2


def contrast_and_luminance(first, second, window):
    """Means of the structure term and SSIM of two channels in [0, 255] (Wang et al., 2004)."""

    def blur(values):
        return scipy.signal.convolve2d(values, window, mode="valid")

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_1, mean_2 = blur(first), blur(second)
    covariance = blur(first * second) - mean_1 * mean_2
    variances = blur(first**2) - mean_1**2 + blur(second**2) - mean_2**2
    structure = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    return structure.mean(), (structure * luminance).mean()


def ms_ssim(first, second, scales):
    weights = np.array(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales])
    product = 1.0
    for scale in range(scales):
        structure, ssim = contrast_and_luminance(first, second, gaussian_window(11))
        term = ssim if scale == scales - 1 else structure
        product *= max(term, 0.0) ** weights[scale]
        first, second = (
            x.reshape(len(x) // 2, 2, len(x) // 2, 2).mean(axis=(1, 3)) for x in (first, second)
        )
    return product


@pytest.mark.parametrize(("side", "scales"), [(32, 2), (16, 1), (64, 3)])
def test_similarity_is_multi_scale_ssim(side, scales):
    rng = np.random.default_rng(1)
    base = scipy.signal.convolve2d(rng.uniform(0, 255, [side, side]), np.ones([5, 5]) / 25, "same")
    images = np.clip(base + rng.normal(0, 12, [4, side, side]), 0, 255).astype(np.uint8)[..., None]
    found = within_class_similarity(images, np.full(4, 3), pairs=2)
    gray = images[..., 0].astype(np.float64)
    expected = np.mean([ms_ssim(gray[k], gray[k + 2], scales) for k in range(2)])
    assert found == {3: pytest.approx(expected, abs=2e-3)}


def test_a_collapsed_class_is_1_and_noise_is_near_0():
    rng = np.random.default_rng(2)
    same = np.repeat(rng.integers(0, 256, [1, 32, 32, 3], np.uint8), 10, axis=0)
    noise = rng.integers(0, 256, [10, 32, 32, 3], np.uint8)
    found = within_class_similarity(np.concatenate([same, noise]), np.repeat([0, 1], 10))
    assert found[0] == pytest.approx(1.0, abs=1e-6)
    assert found[1] < 0.1
