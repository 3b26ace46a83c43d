"""Projections on the L1 ball, and on what [-1, 1] leaves of it."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from robgan_tf.attacks.l1_projection import project_on_ball, project_on_ball_and_box

RANDOM = np.random.default_rng(7)
SHAPE = (5, 4, 3)
VALUES = 60


def sorted_projection(perturbation, epsilon):
    """Duchi et al. (2008), figure 1, for one vector."""
    sizes = np.abs(perturbation)
    if epsilon == 0 or sizes.sum() <= epsilon:
        return perturbation * (epsilon > 0)
    falling = np.sort(sizes)[::-1]
    sums = np.cumsum(falling) - epsilon
    count = np.flatnonzero(falling * np.arange(1, len(sizes) + 1) > sums)[-1]
    return np.sign(perturbation) * np.maximum(sizes - sums[count] / (count + 1), 0.0)


def solved(image, attacked, epsilon):
    """The nearest point by a general solver of increases and decreases that are at least 0."""
    change = attacked - image
    count = len(image)
    found = optimize.minimize(
        lambda parts: 0.5 * np.sum((parts[:count] - parts[count:] - change) ** 2),
        np.zeros(2 * count),
        jac=lambda parts: (
            np.tile(parts[:count] - parts[count:] - change, 2) * np.repeat([1.0, -1.0], count)
        ),
        bounds=[*((0.0, 1.0 - value) for value in image), *((0.0, 1.0 + value) for value in image)],
        constraints={
            "type": "ineq",
            "fun": lambda parts: epsilon - parts.sum(),
            "jac": lambda _: -np.ones(2 * count),
        },
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    return image + found.x[:count] - found.x[count:]


def batch(scale):
    images = RANDOM.uniform(-1.0, 1.0, [30, *SHAPE])
    images[::3] = np.sign(images[::3])  # At the corners of the box.
    return images, images + scale * RANDOM.normal(size=images.shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("epsilon", [0.0, 0.01, 3.0, 40.0, 1e4])
def test_nearest_in_the_ball(dtype, epsilon):
    perturbations = RANDOM.normal(size=[30, *SHAPE]).astype(dtype)
    perturbations[0] = 0.0
    perturbations[1] = np.sign(perturbations[1])  # All equal.
    perturbations[2] *= epsilon / np.abs(perturbations[2]).sum()  # On the edge.
    perturbations[3, 1:] = 0.0
    projected = project_on_ball(tf.constant(perturbations), epsilon).numpy()
    expected = [sorted_projection(one.ravel(), epsilon).reshape(SHAPE) for one in perturbations]
    tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(projected, expected, rtol=tolerance, atol=tolerance)
    lengths = np.abs(projected.astype(np.float64)).sum((1, 2, 3))
    assert lengths.max() <= epsilon * (1.0 + 1e-6)
    inside = np.abs(perturbations).sum((1, 2, 3)) <= epsilon * (1.0 - 1e-6)
    np.testing.assert_array_equal(projected[inside], perturbations[inside])


@pytest.mark.parametrize("epsilon", [0.5, 6.0])
def test_nearest_in_ball_and_box_by_a_general_solver(epsilon):
    for scale in (0.1, 1.0, 20.0):
        images, attacked = (values.reshape(30, -1)[:, :8] for values in batch(scale))
        projected = project_on_ball_and_box(tf.constant(images), tf.constant(attacked), epsilon)
        for one, image, outside in zip(projected.numpy(), images, attacked, strict=True):
            expected = solved(image, outside, epsilon)
            np.testing.assert_allclose(one, expected, atol=1e-3)
            # The solver comes near the nearest point, and not nearer than it.
            nearest, found = (np.linalg.norm(point - outside) for point in (one, expected))
            assert nearest <= found * (1.0 + 1e-7)


@pytest.mark.parametrize("epsilon", [0.02, 3.0, 12.0, 1e4])
@pytest.mark.parametrize("scale", [0.0, 0.05, 1.0, 100.0])
def test_nearest_in_ball_and_box_by_its_conditions(scale, epsilon):
    """Karush, Kuhn and Tucker: one threshold explains every value that the box does not hold."""
    images, attacked = batch(scale)
    projected = project_on_ball_and_box(tf.constant(images), tf.constant(attacked), epsilon).numpy()
    assert np.abs(projected).max() <= 1.0
    for one, image, outside in zip(projected, images, attacked, strict=True):
        change, wanted = one - image, outside - image
        length = np.abs(change).sum()
        assert length <= epsilon * (1.0 + 1e-12)
        assert np.all(change * wanted >= 0.0)
        lost, moved = np.abs(wanted) - np.abs(change), np.abs(change) > 1e-12
        at_edge = np.abs(one) >= 1.0 - 1e-12
        free = moved & ~at_edge
        if length < epsilon * (1.0 - 1e-9):
            np.testing.assert_allclose(lost[~at_edge], 0.0, atol=1e-9)
            continue
        still = ~moved & ~(at_edge & (np.sign(wanted) == np.sign(image)))
        threshold = lost[free].mean() if free.any() else lost[still].max()
        np.testing.assert_allclose(lost[free], threshold, atol=1e-9)
        assert threshold >= -1e-9
        assert np.all(lost[still] <= threshold + 1e-9)
        assert np.all(lost[moved & at_edge] >= threshold - 1e-9)


def test_clipping_the_projection_on_the_ball_leaves_some_of_it_unused():
    images, attacked = (tf.constant(values) for values in batch(1.0))
    both = project_on_ball_and_box(images, attacked, 3.0)
    clipped = tf.clip_by_value(images + project_on_ball(attacked - images, 3.0), -1.0, 1.0)
    used, of_clipped = (np.abs(one - images).sum((1, 2, 3)) for one in (both, clipped))
    np.testing.assert_allclose(used, 3.0, rtol=1e-9)
    assert of_clipped.mean() < 2.7
    distances = (np.linalg.norm((one - attacked).numpy().reshape(30, -1), axis=1)
                 for one in (both, clipped))  # fmt: skip
    assert np.all(np.subtract(*distances) < 1e-9)


def test_bits_do_not_depend_on_the_batch():
    images = RANDOM.uniform(-1.0, 1.0, [40, 32, 32, 3]).astype(np.float32)
    scales = 10.0 ** RANDOM.uniform(-4, 2, [40, 1, 1, 1])
    attacked = (images + scales * RANDOM.normal(size=images.shape)).astype(np.float32)

    @tf.function(reduce_retracing=True)
    def project(images, attacked):
        return project_on_ball_and_box(images, attacked, 24.0)

    together = project(tf.constant(images), tf.constant(attacked)).numpy()
    for size in (1, 7):
        parts = [slice(first, first + size) for first in range(0, 40, size)]
        apart = [project(tf.constant(images[p]), tf.constant(attacked[p])).numpy() for p in parts]
        np.testing.assert_array_equal(np.concatenate(apart), together)
