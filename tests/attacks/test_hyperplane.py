"""Projections on hyperplanes within the box, against scipy's linear and quadratic programmes."""

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from robgan_tf.attacks import hyperplane
from tests.attacks.numpy_fab import DUAL, distance
from tests.attacks.numpy_fab import project as slow_project

RANDOM = np.random.default_rng(3)
COUNT, SIZE = 30, 12
POINTS = RANDOM.uniform(-1, 1, [COUNT, SIZE])
POINTS[::3, ::2] = np.sign(POINTS[::3, ::2])  # On the edge of the box, where there is no room.
NORMALS = RANDOM.normal(size=[COUNT, SIZE]) * 10.0 ** RANDOM.uniform(-3, 3, [COUNT, 1])
NORMALS[1::4, :3] = 0.0
# From next to nothing to more than the box allows.
VALUES = RANDOM.uniform(-1.3, 1.3, COUNT) * np.abs(NORMALS).sum(axis=1)


@pytest.fixture(scope="module", params=["float64", "float32"])
def projected(request):
    """The changes in each norm, from one graph for any number of points."""

    @tf.function(autograph=False, reduce_retracing=True)
    def project(points, normals, values):
        return {n: hyperplane.project(points, normals, values, n) for n in hyperplane.NORMS}

    arrays = [tf.constant(values, request.param) for values in (POINTS, NORMALS, VALUES)]
    changes = project(*arrays)
    assert all(change.dtype == request.param for change in changes.values())
    return changes, project, arrays


def programme(point, normal, value, norm):
    """The least distance, or None where the box does not reach the hyperplane."""
    low, high, size = -1 - point, 1 - point, len(point)
    if norm == "l2":
        if scipy.optimize.linprog(
            np.zeros(size), None, None, [normal], [-value], _box(low, high)
        ).status:
            return None
        scale = np.abs(normal).max()
        start = slow_project(point, normal, value, "linf") - point
        found = scipy.optimize.minimize(
            lambda change: change @ change,
            start,
            jac=lambda change: 2 * change,
            bounds=_box(low, high),
            constraints={
                "type": "eq",
                "fun": lambda c: (value + normal @ c) / scale,
                "jac": lambda _: normal / scale,
            },
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        return np.sqrt(found.fun)
    # Change and a bound of its absolute values: one for all, or one for each.
    bounds = 1 if norm == "linf" else size
    of_bound = np.ones([size, 1]) if norm == "linf" else np.eye(size)
    limits = np.block([[np.eye(size), -of_bound], [-np.eye(size), -of_bound]])
    found = scipy.optimize.linprog(
        np.r_[np.zeros(size), np.ones(bounds)],
        limits,
        np.zeros(2 * size),
        [np.r_[normal, np.zeros(bounds)]],
        [-value],
        _box(np.r_[low, np.zeros(bounds)], np.r_[high, np.full(bounds, 9.0)]),
    )
    return None if found.status else found.fun


def _box(low, high):
    return list(zip(low, high, strict=True))


@pytest.mark.parametrize("norm", hyperplane.NORMS)
def test_the_change_is_the_least_that_is_enough(projected, norm):
    changes, _, _ = projected
    reached = 0
    for change, point, normal, value in zip(
        changes[norm].numpy(), POINTS, NORMALS, VALUES, strict=True
    ):
        assert np.abs(point + change).max() <= 1 + 1e-6
        assert np.all(change[normal == 0] == 0)
        tolerance = 1e-5 * np.abs(normal).sum()
        least = programme(point, normal, value, norm)
        left = value + normal @ change
        if least is None:  # The corner of the box that is nearest to the hyperplane.
            corner = np.where(value * normal > 0, -1.0, 1.0)
            assert left == pytest.approx(value + normal @ (corner - point), abs=tolerance)
        else:
            reached += 1
            assert left == pytest.approx(0.0, abs=tolerance)
            assert distance(change, norm) == pytest.approx(least, rel=1e-5, abs=1e-6)
    assert 5 < reached < COUNT - 5


@pytest.mark.parametrize("norm", hyperplane.NORMS)
def test_it_is_that_of_bisection(projected, norm):
    changes, _, _ = projected
    expected = [
        slow_project(point, normal, value, norm) - point
        for point, normal, value in zip(POINTS, NORMALS, VALUES, strict=True)
    ]
    np.testing.assert_allclose(changes[norm], expected, atol=2e-5)


@pytest.mark.parametrize("norm", hyperplane.NORMS)
def test_a_point_does_not_depend_on_the_others_nor_on_scale(projected, norm):
    changes, project, arrays = projected
    for part in (slice(3, 4), slice(7, 20)):
        alone = project(*(array[part] for array in arrays))[norm]
        np.testing.assert_array_equal(alone, changes[norm][part])
    points, normals, values = arrays
    np.testing.assert_array_equal(
        project(points, normals * 2**20, values * 2**20)[norm], changes[norm]
    )


@pytest.mark.parametrize("norm", hyperplane.NORMS)
def test_without_room_without_normal_and_with_equal_weights(norm):
    points = np.array([[1.0, -1.0, 0.0, 0.0], [0.2, 0.3, 0.4, 0.5], [0.0, 0.0, 0.0, 0.5]])
    normals = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    change = hyperplane.project(points, normals, np.array([-1.0, 7.0, -1.0]), norm).numpy()
    np.testing.assert_array_equal(change[:2], 0.0)
    assert normals[2] @ change[2] == pytest.approx(1.0)
    expected = {"linf": 0.125, "l2": 0.25, "l1": 0.5}[norm]
    assert distance(change[2], norm) == pytest.approx(expected)


@pytest.mark.parametrize("norm", hyperplane.NORMS)
def test_many_coordinates_in_float32(norm):
    points = RANDOM.uniform(-1, 1, [4, 20_000]).astype(np.float32)
    normals = RANDOM.normal(size=points.shape).astype(np.float32)
    values = np.array([3.0, -100.0, 2000.0, 15000.0], np.float32)
    change = hyperplane.project(points, normals, values, norm).numpy().astype(np.float64)
    left = values + np.sum(change * normals, axis=1)
    np.testing.assert_allclose(left, 0.0, atol=2e-3)
    for row in range(4):
        expected = slow_project(
            points[row].astype(float), normals[row].astype(float), values[row], norm
        )
        assert distance(change[row], norm) == pytest.approx(
            distance(expected - points[row], norm), rel=1e-4
        )


@pytest.mark.parametrize("norm", hyperplane.NORMS)
def test_distances_without_a_box(norm):
    found = hyperplane.distances(NORMALS, VALUES, norm)
    expected = np.abs(VALUES) / np.linalg.norm(NORMALS, ord=DUAL[norm], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    nowhere = hyperplane.distances(np.zeros([2, 3]), np.array([0.0, 1.0]), norm)
    np.testing.assert_array_equal(nowhere, np.inf)
