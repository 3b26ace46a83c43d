"""Kernel distances against the definition, written out pair by pair in float64."""

import math

import numpy as np
import pytest

from robgan_tf.quality.measures.kid import kernel_distance


def feature_sets(counts=(70, 53), dimensions=6, kind=np.float64):
    random = np.random.default_rng(0)
    first = random.normal(size=[counts[0], dimensions])
    second = random.normal(0.3, 1.2, [counts[1], dimensions])
    return first.astype(kind), second.astype(kind)


def by_definition(first, second):
    first, second = first.astype(np.float64), second.astype(np.float64)

    def kernel(x, y):
        return (math.fsum(x * y) / len(x) + 1.0) ** 3

    def mean_within(features):
        pairs = [
            kernel(x, y) for i, x in enumerate(features) for j, y in enumerate(features) if i != j
        ]
        return math.fsum(pairs) / len(pairs)

    between = [kernel(x, y) for x in first for y in second]
    return mean_within(first) + mean_within(second) - 2 * math.fsum(between) / len(between)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_definition(kind):
    first, second = feature_sets(kind=kind)
    distance = kernel_distance(first, second)
    assert type(distance) is float
    assert distance == pytest.approx(by_definition(first, second), rel=1e-11)


def test_by_hand():
    """Kernels of 1 within {0, 0}, of 8 within {1, 1} and of 1 between them, in one dimension."""
    distance = kernel_distance(np.zeros([2, 1]), np.ones([2, 1]))
    assert distance == pytest.approx(1 + 8 - 2 * 1, rel=1e-15)


@pytest.mark.parametrize("block_size", [1, 7, 53, 69, 70, 1000])
def test_the_block_size_makes_no_difference(block_size):
    first, second = feature_sets()
    expected = kernel_distance(first, second)
    assert kernel_distance(first, second, block_size) == pytest.approx(expected, rel=1e-12)


def test_more_rows_than_a_block_against_one_matrix_product():
    first, second = feature_sets((2300, 1100), 16, np.float32)
    kernels = [
        (a.astype(np.float64) @ b.astype(np.float64).T / 16 + 1) ** 3
        for a, b in ((first, first), (second, second), (first, second))
    ]
    expected = -2 * kernels[2].mean()
    for kernel in kernels[:2]:
        expected += kernel[~np.eye(len(kernel), dtype=bool)].mean()
    assert kernel_distance(first, second) == pytest.approx(expected, rel=1e-10)


def test_order_of_rows_and_of_sets_makes_no_difference():
    first, second = feature_sets()
    random = np.random.default_rng(1)
    shuffled = random.permutation(first), random.permutation(second)
    expected = kernel_distance(first, second)
    assert kernel_distance(*shuffled, 20) == pytest.approx(expected, rel=1e-12)
    assert kernel_distance(second, first) == pytest.approx(expected, rel=1e-12)


def test_unbiased():
    """Of samples of one distribution the mean is 0 and the sign is either."""
    random = np.random.default_rng(2)
    distances = [kernel_distance(*random.normal(size=[2, 20, 4])) for _ in range(400)]
    standard_error = np.std(distances) / np.sqrt(len(distances))
    assert abs(np.mean(distances)) < 3 * standard_error
    assert min(distances) < 0 < max(distances)


def test_expectation_in_closed_form():
    """In one dimension E k(x, y) is 1 + 3 m n + 3 E[x^2] E[y^2] + E[x^3] E[y^3]."""
    random = np.random.default_rng(3)
    # Means of 0 and 1 at unit variance: moments (0, 1, 0) and (1, 2, 4).
    expected = (1 + 3 * 1) + (1 + 3 * 1 + 3 * 4 + 16) - 2 * (1 + 3 * 2)
    distances = [
        kernel_distance(random.normal(0, 1, [50, 1]), random.normal(1, 1, [50, 1]))
        for _ in range(100)
    ]
    assert abs(np.mean(distances) - expected) < 4 * np.std(distances) / 10


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros(3), np.zeros([3, 2]), r"features_1 must be a matrix \[n, d\]"),
        (np.zeros([3, 2]), np.zeros([1, 2]), "features_2 must have at least 2 rows, not 1"),
        (np.zeros([3, 2]), np.zeros([3, 4]), "features_1 has 2 and features_2 has 4"),
        (np.zeros([3, 2]), np.full([3, 2], np.nan), "features_2 must be finite, and row 0"),
    ],
)
def test_bad_input(first, second, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance(first, second)


def test_bad_block_size():
    with pytest.raises(ValueError, match="block_size must be at least 1, not 0"):
        kernel_distance(*feature_sets(), block_size=0)
