"""Fréchet distances against closed forms and against scipy's general matrix square root."""

import numpy as np
import pytest
import scipy.linalg

from robgan_tf.quality.measures.fid import frechet_distance
from robgan_tf.quality.moments import FeatureStatistics


def random_covariance(random, dimensions, rank=None):
    factor = random.normal(size=[dimensions, rank or 2 * dimensions])
    return factor @ factor.T / factor.shape[1]


def random_rotation(random, dimensions):
    return np.linalg.qr(random.normal(size=[dimensions, dimensions]))[0]


def by_scipy(mean_1, covariance_1, mean_2, covariance_2):
    root = scipy.linalg.sqrtm(covariance_1 @ covariance_2)
    traces = np.trace(covariance_1) + np.trace(covariance_2) - 2 * np.trace(root).real
    return np.sum((mean_1 - mean_2) ** 2) + traces


def test_one_dimension():
    # (m1 - m2)^2 + (s1 - s2)^2
    assert frechet_distance([1.0], [[4.0]], [-2.0], [[25.0]]) == pytest.approx(18.0, rel=1e-14)


def test_diagonal_covariances():
    random = np.random.default_rng(0)
    mean_1, mean_2 = random.normal(size=[2, 50])
    deviations_1, deviations_2 = 10.0 ** random.uniform(-4, 2, [2, 50])
    expected = np.sum((mean_1 - mean_2) ** 2) + np.sum((deviations_1 - deviations_2) ** 2)
    distance = frechet_distance(mean_1, np.diag(deviations_1**2), mean_2, np.diag(deviations_2**2))
    assert type(distance) is float
    assert distance == pytest.approx(expected, rel=1e-10)


def test_covariances_that_commute():
    random = np.random.default_rng(1)
    rotation = random_rotation(random, 40)
    values_1, values_2 = random.uniform(0.0, 3.0, [2, 40])
    expected = np.sum((np.sqrt(values_1) - np.sqrt(values_2)) ** 2)
    distance = frechet_distance(
        np.zeros(40),
        rotation @ np.diag(values_1) @ rotation.T,
        np.zeros(40),
        rotation @ np.diag(values_2) @ rotation.T,
    )
    assert distance == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_two_dimensions_in_closed_form(seed):
    """The root R of a 2 by 2 matrix M has tr(R)^2 = tr(M) + 2 det(M)^(1/2)."""
    random = np.random.default_rng(seed)
    covariance_1, covariance_2 = random_covariance(random, 2), random_covariance(random, 2)
    mean_1, mean_2 = random.normal(size=[2, 2])
    product = covariance_1 @ covariance_2
    root_trace = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.sum((mean_1 - mean_2) ** 2) - 2 * root_trace
    expected += np.trace(covariance_1) + np.trace(covariance_2)
    distance = frechet_distance(mean_1, covariance_1, mean_2, covariance_2)
    assert distance == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dimensions", [3, 30, 80])
def test_covariances_that_do_not_commute(dimensions):
    random = np.random.default_rng(dimensions)
    first = random.normal(size=dimensions), random_covariance(random, dimensions)
    second = random.normal(size=dimensions), 3.0 * random_covariance(random, dimensions)
    assert frechet_distance(*first, *second) == pytest.approx(by_scipy(*first, *second), rel=1e-9)


def test_singular_covariances_are_those_of_the_subspace():
    """Gaussians in 20 of 300 dimensions are as far apart as if only these existed."""
    random = np.random.default_rng(3)
    basis = random_rotation(random, 300)[:, :20]
    first = random.normal(size=20), random_covariance(random, 20)
    second = random.normal(size=20), random_covariance(random, 20)
    embedded = [
        part
        for mean, covariance in (first, second)
        for part in (basis @ mean, basis @ covariance @ basis.T)
    ]
    assert frechet_distance(*embedded) == pytest.approx(by_scipy(*first, *second), rel=1e-9)


def test_fewer_images_than_dimensions():
    """The singular values of A B^T, with centred features A and B, need no covariance at all."""
    random = np.random.default_rng(4)
    sets = random.normal(size=[60, 200]), random.normal(size=[50, 200]) * 2.0 + 0.1
    moments, roots = [], []
    for features in sets:
        moments += [features.mean(axis=0), np.cov(features, rowvar=False)]
        roots.append((features - features.mean(axis=0)) / np.sqrt(len(features) - 1))
    expected = np.sum((moments[0] - moments[2]) ** 2) + np.sum(roots[0] ** 2)
    expected += np.sum(roots[1] ** 2) - 2 * np.linalg.norm(roots[0] @ roots[1].T, "nuc")
    assert frechet_distance(*moments) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rank", [1, 30, 100, 400])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_equal_gaussians_are_at_distance_zero(rank, scale):
    random = np.random.default_rng(rank)
    covariance = scale * random_covariance(random, 100, rank)
    mean = random.normal(size=100)
    distance = frechet_distance(mean, covariance, mean, covariance)
    assert 0.0 <= distance <= 1e-12 * np.trace(covariance)


def test_a_set_of_features_and_itself_in_other_batches():
    features = np.random.default_rng(5).normal(3.0, 2.0, [1500, 64]).astype(np.float32)
    whole, batched = FeatureStatistics(64), FeatureStatistics(64)
    whole.update(features)
    for start in range(0, 1500, 17):
        batched.update(features[start : start + 17])
    distance = frechet_distance(whole.mean, whole.covariance, batched.mean, batched.covariance)
    assert distance < 1e-9


def test_either_order_and_any_rotation():
    random = np.random.default_rng(6)
    first = random.normal(size=30), random_covariance(random, 30, 10)
    second = random.normal(size=30), random_covariance(random, 30)
    distance = frechet_distance(*first, *second)
    assert frechet_distance(*second, *first) == pytest.approx(distance, rel=1e-12)
    rotation = random_rotation(random, 30)
    turned = [
        part
        for mean, covariance in (first, second)
        for part in (rotation @ mean, rotation @ covariance @ rotation.T)
    ]
    assert frechet_distance(*turned) == pytest.approx(distance, rel=1e-10)


def test_covariances_of_zero():
    zero, one = np.zeros([3, 3]), np.eye(3)
    assert frechet_distance(np.zeros(3), zero, np.zeros(3), zero) == 0.0
    assert frechet_distance(np.zeros(3), zero, np.ones(3), one) == pytest.approx(6.0)


def test_negative_eigenvalues():
    rounded, wrong = np.diag([1.0, -1e-12]), np.diag([1.0, -1e-7])
    mean, other = np.zeros(2), np.eye(2)
    assert frechet_distance(mean, rounded, mean, other) == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"covariance_2 must have no negative .* has -1e-07"):
        frechet_distance(mean, other, mean, wrong)


def test_arguments_stay_as_they_are():
    random = np.random.default_rng(7)
    moments = [
        *(random.normal(size=9), random_covariance(random, 9)),
        *(random.normal(size=9), random_covariance(random, 9)),
    ]
    before = [moment.copy() for moment in moments]
    frechet_distance(*moments)
    for moment, copy in zip(moments, before, strict=True):
        np.testing.assert_array_equal(moment, copy)


@pytest.mark.parametrize(
    ("moments", "message"),
    [
        ((0.0, 1.0), r"mean_1 must be \[d\] and covariance_1 \[d, d\], not \[\] and \[\]"),
        ((np.zeros(2), np.eye(3)), r"not \[2\] and \[3, 3\]"),
        ((np.zeros(2), np.ones(2)), r"not \[2\] and \[2\]"),
        ((np.zeros(2), np.eye(2)), "as many dimensions, not 2 and 3"),
        ((np.array([0, np.nan, 0]), np.eye(3)), "mean_1 must be finite"),
        ((np.zeros(3), np.full([3, 3], np.inf)), "covariance_1 must be finite"),
        ((np.zeros(3), np.triu(np.ones([3, 3]))), "covariance_1 must be symmetric, .* by 1"),
    ],
)
def test_bad_moments(moments, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(*moments, np.zeros(3), np.eye(3))
