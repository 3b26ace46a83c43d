"""Arcs between latents, mixtures of classes."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from robgan_tf.sampling.interpolation import class_mixtures, spherical

GENERATOR = np.random.default_rng(0)


def angles(points):
    """Between neighbouring points."""
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    return np.arccos(np.sum(directions[1:] * directions[:-1], axis=1))


def test_ends_are_exact_and_angles_and_norms_change_evenly():
    first, second = GENERATOR.normal(size=[2, 128]).astype(np.float32)
    points = spherical(first, second, 9)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points[0], first)
    np.testing.assert_array_equal(points[-1], second)
    points = points.astype(np.float64)
    np.testing.assert_allclose(angles(points), angles(points[[0, -1]])[0] / 8, rtol=1e-4)
    norms = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(norms, np.linspace(norms[0], norms[-1], 9), rtol=1e-6)


def test_unit_vectors_follow_the_formula_of_shoemake():
    first, second = np.linalg.qr(GENERATOR.normal(size=[6, 2]))[0].T
    second = 0.6 * first + 0.8 * second
    angle = np.arccos(0.6)
    expected = [
        (np.sin((1 - t) * angle) * first + np.sin(t * angle) * second) / np.sin(angle)
        for t in (0, 0.25, 0.5, 0.75, 1)
    ]
    np.testing.assert_allclose(spherical(first, second, 5), expected, atol=1e-6)


def test_a_turn_of_the_plane_is_the_slerp_of_scipy():
    turned = Slerp([0, 1], Rotation.from_euler("z", [[10], [130]], degrees=True))
    along = np.linspace(0, 1, 7)
    expected = turned(along).apply([2.0, 0, 0])
    np.testing.assert_allclose(spherical(expected[0], expected[-1], 7), expected, atol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 3.0, 1.0 + 1e-7])
def test_the_same_direction_is_a_straight_line(factor):
    latent = GENERATOR.normal(size=16)
    expected = np.linspace(1, factor, 4)[:, None] * latent
    np.testing.assert_allclose(spherical(latent, factor * latent, 4), expected, rtol=1e-5)


def test_what_has_no_single_arc_is_refused():
    latent = GENERATOR.normal(size=16)
    with pytest.raises(ValueError, match="opposite latents"):
        spherical(latent, -2 * latent, 3)
    with pytest.raises(ValueError, match="no direction"):
        spherical(0 * latent, latent, 3)


def test_classes_are_mixed_in_a_straight_line():
    expected = [
        [0, 1, 0, 0],
        [0, 0.75, 0, 0.25],
        [0, 0.5, 0, 0.5],
        [0, 0.25, 0, 0.75],
        [0, 0, 0, 1],
    ]
    mixtures = class_mixtures(1, 3, 4, 5)
    assert mixtures.dtype == np.float32
    np.testing.assert_array_equal(mixtures, np.array(expected, np.float32))
