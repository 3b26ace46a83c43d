"""Nearest neighbours against brute force, with planted duplicates."""

import numpy as np
import pytest

from robgan_tf.quality import neighbours as module
from robgan_tf.quality.neighbours import nearest, nearest_others


def points(count, seed=0, offset=0.0):
    generator = np.random.default_rng(seed)
    return (generator.normal(size=[count, 12]) + offset).astype(np.float32)


def brute_force(features, candidates):
    differences = features[:, None].astype(np.float64) - candidates[None].astype(np.float64)
    return np.linalg.norm(differences, axis=2)


@pytest.mark.parametrize("block_size", [3, 50, 1000])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_equals_brute_force(offset, block_size):
    features, candidates = points(20, 1, offset), points(203, 2, offset)
    distances = brute_force(features, candidates)
    found = nearest(features, candidates, 5, block_size=block_size)
    np.testing.assert_array_equal(found.indices, np.argsort(distances, axis=1)[:, :5])
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1)[:, :5], rtol=1e-12)


def test_a_planted_duplicate_is_found_at_exactly_0():
    features, candidates = points(3, 1, 100.0), points(500, 2, 100.0)
    candidates[[321, 77]] = features[1]
    found = nearest(features, candidates, 3)
    np.testing.assert_array_equal(found.indices[1, :2], [77, 321])
    np.testing.assert_array_equal(found.distances[1, :2], [0.0, 0.0])
    assert found.distances[[0, 2]].min() > 0.0


def test_an_image_is_not_its_own_neighbour_but_its_duplicate_is():
    features = points(100)
    features[60] = features[5]
    found = nearest_others(features, 1)
    distances = brute_force(features, features)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(found.indices[:, 0], distances.argmin(axis=1))
    assert found.indices[5, 0] == 60 and found.distances[5, 0] == 0.0


def test_as_many_neighbours_as_candidates():
    found = nearest(points(2, 1), points(4, 2), 4)
    assert np.sort(found.indices, axis=1).tolist() == 2 * [[0, 1, 2, 3]]
    with pytest.raises(ValueError, match="at least 4 rows"):
        nearest(points(3), points(3), 3, excluded=np.arange(3))
    with pytest.raises(ValueError, match="k must be at least 1"):
        nearest(points(3), points(3), 0)


def test_no_more_than_a_block_is_searched_at_a_time(monkeypatch):
    searched = []

    class Search(module.NearestNeighbors):
        def fit(self, rows):
            searched.append(len(rows))
            return super().fit(rows)

        def kneighbors(self, rows, count):
            searched.append(len(rows))
            return super().kneighbors(rows, count)

    monkeypatch.setattr(module, "NearestNeighbors", Search)
    features = points(100)
    found = nearest_others(features, 2, block_size=30)
    assert set(searched) == {30, 10}
    monkeypatch.undo()
    np.testing.assert_array_equal(found.indices, nearest_others(features, 2).indices)
