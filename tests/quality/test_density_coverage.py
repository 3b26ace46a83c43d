"""Density and coverage against brute force, by hand, and where they are of use."""

import tracemalloc

import numpy as np
import pytest

from robgan_tf.comparison.measures import better_direction
from robgan_tf.errors import UserError
from robgan_tf.quality.image_features import ImageFeatures
from robgan_tf.quality.measures.density_coverage import density_coverage
from robgan_tf.quality.measures.precision_recall import precision_recall
from robgan_tf.quality.scores import quality
from tests import tiny


def by_brute_force(real, fake, k):
    """The two formulas of Naeem et al., section 4, point by point in float64."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    radii = []
    for point in real:
        distances = np.sort([np.linalg.norm(point - other) for other in real])
        radii.append(distances[k])  # the first is the point itself
    balls = [
        [np.linalg.norm(x - y) < radius for y in fake]
        for x, radius in zip(real, radii, strict=True)
    ]
    return np.sum(balls) / (k * len(fake)), np.mean([any(ball) for ball in balls])


@pytest.mark.parametrize(("shift", "k"), [(0.0, 5), (0.7, 5), (0.0, 1), (30.0, 5)])
def test_they_are_the_papers_formulas_whatever_the_blocks(shift, k):
    generator = np.random.default_rng(1)
    real = generator.normal(size=[60, 4]).astype(np.float32)
    fake = (0.8 * generator.normal(size=[45, 4]) + shift).astype(np.float32)
    expected = by_brute_force(real, fake, k)
    for block_size in (7, 1000):
        found = density_coverage(real, fake, k, block_size)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert shift != 0.7 or 0.0 < expected[1] < 1.0


def test_equal_sets_far_from_the_origin_have_density_one():
    # Where |x|^2 + |y|^2 - 2 x.y alone would be left with no digits.
    real = 1e6 + np.random.default_rng(2).normal(size=[50, 3])
    assert density_coverage(real, real.copy()) == (1.0, 1.0)


def test_by_hand():
    # With k = 1, real points at 0, 1 and 10 have radii 1, 1 and 9.
    real, fake = np.array([[0.0], [1.0], [10.0]]), np.array([[0.5], [0.5], [18.0], [19.0]])
    density, coverage = density_coverage(real, fake, k=1)
    # 0.5 is in the balls of 0 and 1, 18 in that of 10, and 19 is on its surface.
    assert (density, coverage) == ((2 + 2 + 1 + 0) / 4, 1.0)
    assert density_coverage(real, np.array([[100.0], [200.0]]), k=1) == (0.0, 0.0)


def test_one_outlier_does_not_make_other_images_realistic():
    generator = np.random.default_rng(3)
    real = generator.normal(size=[200, 2])
    fake = real + np.array([8.0, 0.0])
    with_outlier = np.concatenate([real, [[8.0, 0.0]]])
    sets = (real, with_outlier)
    before, after = (density_coverage(x, fake)[0] for x in sets)
    # An outlier is one ball, and a ball counts 1 / k at most. Precision believes it.
    assert after - before <= 0.2
    before, after = (precision_recall(x, fake)[0] for x in sets)
    assert after - before > 0.9


def test_they_are_measured_and_choose_the_best_and_more_is_better():
    generator = np.random.default_rng(4)
    sets = [generator.normal(size=[40, 3]).astype(np.float32) for _ in range(2)]
    real, fake = (ImageFeatures(x, None, np.zeros(40, np.int32)) for x in sets)
    values = quality(real, fake, "net", "train")
    expected = by_brute_force(*sets, 5)
    for kind, value in zip(("density", "coverage"), expected, strict=True):
        assert values[f"{kind}/net/train40-40"] == pytest.approx(value, rel=1e-12)
        assert better_direction(f"{kind}/net/train40-40") == "higher"
        assert tiny.config(f"quality.best = '{kind}'").quality.best == kind


def test_bad_input_is_refused():
    points = np.zeros([6, 2])
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        density_coverage(points, points, k=0)
    few = ImageFeatures(np.zeros([5, 2], np.float32), None, np.zeros(5, np.int32))
    with pytest.raises(UserError, match="5 images are too few for density and coverage with 5"):
        quality(few, few, "net", "train")


def test_sets_full_of_duplicates_take_little_memory():
    # All pairs are on a surface; their differences at once would be 500 MB.
    points = np.ones([500, 250], np.float32)
    density_coverage(points, points)  # what scikit-learn allocates once
    tracemalloc.start()
    assert density_coverage(points, points) == (0.0, 0.0)
    assert precision_recall(points, points) == (1.0, 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6
