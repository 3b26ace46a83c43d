"""Precision and recall of hand-made sets, and against all differences taken one by one."""

import numpy as np
import pytest

from robgan_tf.quality.measures.precision_recall import precision_recall


def by_definition(real, fake, k):
    real, fake = real.astype(np.float64), fake.astype(np.float64)

    def covered(points, centres):
        squares = ((centres[:, None] - centres[None]) ** 2).sum(axis=2)
        radii = []
        for index, row in enumerate(squares):
            radii.append(np.sort(np.delete(row, index))[k - 1])
        squares = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
        return np.mean([(row <= radii).any() for row in squares])

    return covered(fake, real), covered(real, fake)


def column(*values):
    return np.array(values, np.float64)[:, None]


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_definition(k, kind, mean):
    random = np.random.default_rng(k)
    real = random.normal(mean, 1.0, [150, 4]).astype(kind)
    fake = random.normal(mean + 1.5, 0.7, [130, 4]).astype(kind)
    result = precision_recall(real, fake, k)
    assert [type(share) for share in result] == [float, float]
    assert result == by_definition(real, fake, k)
    assert 0.0 < result[0] < 1.0 and 0.0 < result[1] < 1.0


def test_the_third_neighbour_unless_told_otherwise():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=[2, 60, 3])
    assert precision_recall(real, fake) == precision_recall(real, fake, k=3)


def test_by_hand():
    # Balls [-1, 1], [0, 2], [1, 3] and [2, 18] around the reals; [3.5, 5.5], [4.5, 6.5] and
    # [5, 35] around the fakes.
    real, fake = column(0, 1, 2, 10), column(4.5, 5.5, 20)
    assert precision_recall(real, fake, k=1) == (2 / 3, 1 / 4)


def test_the_surface_belongs_to_the_ball():
    # The balls around the reals end at 2, the one around 4 at 2 as well.
    real, fake = column(0, 1), column(2, 4, 2.0000001)
    assert precision_recall(real, fake, k=1) == (1 / 3, 0.0)


def test_a_grid_is_full_of_ties():
    grid = np.stack(np.meshgrid(*3 * [np.arange(4.0)]), axis=-1).reshape(-1, 3)
    for shift in ([0, 0, 1], [1 / 2, 1 / 2, 0], [0, 2, 2], [1 / 3, 0, 0]):
        for k in (1, 3, 4):
            moved = grid + np.array(shift)
            assert precision_recall(grid, moved, k) == by_definition(grid, moved, k)
            # In 300 dimensions of large mean, of which these three vary.
            wide = np.full([64, 300], 1000.0), np.full([64, 300], 1000.0)
            wide[0][:, 7:10], wide[1][:, 7:10] = grid, moved
            assert precision_recall(*wide, k) == by_definition(*wide, k)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_duplicates_are_neighbours_at_distance_zero(kind):
    random = np.random.default_rng(4)
    real = random.normal(3.0, 1.0, [20, 50]).astype(kind)
    twice = np.repeat(real, 2, axis=0)
    elsewhere = np.nextafter(real, np.array(np.inf, kind))
    # With k = 1 the balls are the points: they hold copies of themselves and nothing near.
    assert precision_recall(twice, real, k=1)[0] == 1.0
    assert precision_recall(twice, elsewhere, k=1)[0] == 0.0
    # With k = 2 they reach to the next different point.
    assert precision_recall(twice, elsewhere, k=2)[0] == 1.0
    assert precision_recall(twice, elsewhere, k=2) == by_definition(twice, elsewhere, 2)


@pytest.mark.parametrize("block_size", [16, 1000])
def test_a_generator_that_makes_one_image(block_size):
    real = np.random.default_rng(5).normal(size=[150, 20])
    fake = np.tile(real[:1] + 1e-3, [200, 1])
    assert precision_recall(real, fake, 3, block_size) == (1.0, 0.0)
    assert precision_recall(fake, fake, 3, block_size) == (1.0, 1.0)
    assert precision_recall(0 * fake, 0 * fake, 3, block_size) == (1.0, 1.0)


def test_equal_sets_and_sets_far_apart():
    features = np.random.default_rng(6).normal(size=[200, 10])
    assert precision_recall(features, features) == (1.0, 1.0)
    assert precision_recall(features, features + 100.0) == (0.0, 0.0)


def test_precision_and_recall_change_places_with_the_sets():
    random = np.random.default_rng(7)
    real, fake = random.normal(size=[90, 5]), random.normal(0.5, 0.6, [110, 5])
    precision, recall = precision_recall(real, fake)
    assert precision_recall(fake, real) == (recall, precision)
    assert precision > recall


@pytest.mark.parametrize("block_size", [1, 2, 13, 40, 1000])
def test_the_block_size_makes_no_difference(block_size):
    random = np.random.default_rng(8)
    real, fake = random.normal(size=[30, 5]), random.normal(0.4, 0.8, [40, 5])
    real[:5] = real[5:10]
    expected = by_definition(real, fake, 3)
    assert precision_recall(real, fake, 3, block_size) == expected
    shuffled = random.permutation(real), random.permutation(fake)
    assert precision_recall(*shuffled, 3, block_size) == expected


def test_integer_features():
    random = np.random.default_rng(9)
    real, fake = random.integers(0, 6, [2, 80, 3]).astype(np.uint8)
    assert precision_recall(real, fake, 2) == by_definition(real, fake, 2)


@pytest.mark.parametrize(
    ("real", "fake", "k", "message"),
    [
        (np.zeros([4, 2]), np.zeros([3, 2]), 3, "fake_features must have at least 4 rows, not 3"),
        (np.zeros([1, 2]), np.zeros([3, 2]), 1, "real_features must have at least 2 rows, not 1"),
        (np.zeros([4, 2]), np.zeros([4, 3]), 3, "real_features has 2 and fake_features has 3"),
        (np.full([4, 2], np.nan), np.zeros([4, 2]), 3, "real_features must be finite"),
        (np.zeros([4, 2]), np.zeros([4]), 3, r"fake_features must be a matrix \[n, d\]"),
        (np.zeros([4, 2]), np.zeros([4, 2]), 0, "k must be at least 1, not 0"),
    ],
)
def test_bad_input(real, fake, k, message):
    with pytest.raises(ValueError, match=message):
        precision_recall(real, fake, k)
