"""The attack against closed forms: a linear loss has a known optimum in both norms."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent, share_at_edge

RANDOM = np.random.default_rng(0)
IMAGES = tf.constant(RANDOM.uniform(-1, 1, [5, 4, 4, 3]).astype(np.float32))
INNER = 0.5 * IMAGES  # Far enough from the box that it never stops the attack.
DIRECTIONS = RANDOM.normal(size=[5, 4, 4, 3]).astype(np.float32)


def linear_loss(images):
    return tf.reduce_sum(images * DIRECTIONS, axis=[1, 2, 3])


def length(perturbation):
    return np.linalg.norm(np.asarray(perturbation, np.float64).reshape(5, -1), axis=1)


@pytest.mark.parametrize("random_start", [False, True])
def test_reaches_the_linf_optimum(random_start):
    attack = ProjectedGradientDescent(0.1, 10, 0.03, random_start=random_start)
    attacked = attack(linear_loss, INNER, seed=[1, 2])
    np.testing.assert_allclose(attacked, INNER + 0.1 * np.sign(DIRECTIONS), atol=1e-6)


def test_reaches_the_linf_optimum_under_the_box():
    attack = ProjectedGradientDescent(0.5, 5, 0.2)
    expected = np.clip(IMAGES + 0.5 * np.sign(DIRECTIONS), -1, 1)
    np.testing.assert_allclose(attack(linear_loss, IMAGES), expected, atol=1e-6)


@pytest.mark.parametrize("random_start", [False, True])
def test_reaches_the_l2_optimum(random_start):
    attack = ProjectedGradientDescent(0.8, 200, 0.1, norm="l2", random_start=random_start)
    attacked = attack(linear_loss, INNER, seed=[1, 2])
    optimum = 0.8 * DIRECTIONS / length(DIRECTIONS)[:, None, None, None]
    np.testing.assert_allclose(attacked, INNER + optimum, atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("scale", [1e-35, 1e-13, 1e13, 1e35])
def test_the_scale_of_the_loss_changes_nothing(norm, scale):
    attack = ProjectedGradientDescent(0.4, 5, 0.1, norm)
    found = tf.function(attack)(lambda images: scale * linear_loss(images), INNER)
    np.testing.assert_allclose(found, attack(linear_loss, INNER), atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_without_a_gradient_it_stays(norm):
    attack = ProjectedGradientDescent(0.4, 5, 0.1, norm)
    np.testing.assert_allclose(attack(lambda images: 0.0 * linear_loss(images), INNER), INNER)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.05), ("linf", 2.0), ("l2", 0.7)])
@pytest.mark.parametrize("random_start", [False, True])
def test_stays_in_ball_and_box(norm, epsilon, random_start):
    def curved_loss(images):
        return linear_loss(tf.sin(20.0 * images))

    attack = ProjectedGradientDescent(epsilon, 7, 0.6 * epsilon, norm, random_start)
    attacked = attack(curved_loss, IMAGES, seed=[3, 4]).numpy()
    change = attacked - IMAGES
    largest = np.abs(change).max() if norm == "linf" else length(change).max()
    assert 0.5 * min(epsilon, 1.0) < largest <= epsilon + 1e-6
    assert np.abs(attacked).max() <= 1.0


def test_a_few_small_steps_do_not_reach_the_edge():
    # The official code's setting: 5 steps of 0.0078 never fill a ball of 0.0625.
    attack = ProjectedGradientDescent(0.0625, 5, 0.0078)
    change = np.abs(attack(linear_loss, INNER) - INNER)
    assert change.max() == pytest.approx(0.039, abs=1e-6)
    assert share_at_edge(INNER, INNER + change, 0.0625) == 0.0
    assert share_at_edge(INNER, INNER + change, 0.039) == 1.0
    assert share_at_edge(INNER, INNER, 0.0) == 0.0


def test_no_steps_is_no_attack_and_calls_nothing():
    def fail(images):
        raise AssertionError

    attack = ProjectedGradientDescent(0.1, 0, 0.1, random_start=True)
    assert attack(fail, IMAGES) is IMAGES


def test_no_radius_changes_nothing():
    for norm in ("linf", "l2"):
        attack = ProjectedGradientDescent(0.0, 3, 0.1, norm, random_start=True)
        np.testing.assert_array_equal(attack(linear_loss, IMAGES, seed=[1, 2]), IMAGES)


def test_epsilon_can_be_replaced_for_a_warm_up():
    attack = ProjectedGradientDescent(0.1, 3, 0.05)
    attacked = attack(linear_loss, INNER, epsilon=tf.constant(0.02))
    np.testing.assert_allclose(attacked, INNER + 0.02 * np.sign(DIRECTIONS), atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_start_is_a_function_of_the_sample_seed(norm):
    attack = ProjectedGradientDescent(0.3, 1, 0.0, norm, random_start=True)
    seeds = tf.random.split([5, 6], 5)
    together = attack(linear_loss, IMAGES, seed=seeds).numpy()
    np.testing.assert_array_equal(together, attack(linear_loss, IMAGES, seed=[5, 6]))
    alone = attack(lambda x: tf.reduce_sum(x, [1, 2, 3]), IMAGES[2:3], seed=seeds[2:3])
    np.testing.assert_array_equal(together[2:3], alone)
    assert not np.array_equal(together, attack(linear_loss, IMAGES, seed=[5, 7]))


def test_random_starts_fill_the_ball():
    images = tf.zeros([400, 2, 2, 1])
    attack = ProjectedGradientDescent(0.5, 1, 0.0, random_start=True)
    start = attack(lambda x: tf.reduce_sum(x, [1, 2, 3]), images, seed=[1, 2]).numpy()
    # Uniform on [-0.5, 0.5]: standard deviation 0.5 / sqrt(3).
    assert start.std() == pytest.approx(0.2887, rel=0.05)
    assert np.abs(start).max() == pytest.approx(0.5, rel=0.01)
    attack = ProjectedGradientDescent(0.5, 1, 0.0, "l2", random_start=True)
    start = attack(lambda x: tf.reduce_sum(x, [1, 2, 3]), images, seed=[1, 2]).numpy()
    radii = np.linalg.norm(start.reshape(400, -1), axis=1)
    # Uniform in a 4-dimensional ball of radius r: the mean distance is 4/5 r.
    assert radii.mean() == pytest.approx(0.4, rel=0.03)


def test_works_in_a_graph_with_unknown_batch_size():
    attack = ProjectedGradientDescent(0.1, 4, 0.05, random_start=True)

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 3])])
    def run(images):
        return attack(lambda x: tf.reduce_sum(x**2, [1, 2, 3]), images, seed=[1, 2])

    eager = attack(lambda x: tf.reduce_sum(x**2, [1, 2, 3]), IMAGES, seed=[1, 2])
    np.testing.assert_allclose(run(IMAGES), eager, atol=1e-6)
    assert run(IMAGES[:2]).shape == (2, 4, 4, 3)


def test_no_gradient_flows_through_the_attack():
    with tf.GradientTape() as tape:
        tape.watch(INNER)
        attacked = ProjectedGradientDescent(0.1, 2, 0.1)(linear_loss, INNER)
        total = tf.reduce_sum(attacked)
    assert tape.gradient(total, INNER) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1, 3, 0.1), "epsilon must not be negative, got -0.1"),
        ((0.1, -3, 0.1), "steps must not be negative"),
        ((0.1, 3, -0.1), "step_size must not be negative"),
        ((8, 3, 0.1), "above 2.*8/255 of the .* scale is 0.0627"),
        ((0.1, 3, 0.1, "l7"), "norm 'l7' does not exist; choose one of 'l1', 'l2', 'linf'"),
    ],
)
def test_refuses_numbers_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProjectedGradientDescent(*arguments)


def test_a_large_l2_radius_is_fine():
    ProjectedGradientDescent(8.0, 3, 1.0, "l2")


def test_random_start_needs_a_seed():
    with pytest.raises(ValueError, match="needs a seed"):
        ProjectedGradientDescent(0.1, 3, 0.1, random_start=True)(linear_loss, IMAGES)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_relative_step_is_a_share_of_the_radius_of_the_call(norm):
    images = tf.zeros([2, 3, 3, 1])

    def rising(x):
        return tf.reduce_sum(x, axis=[1, 2, 3])

    relative = ProjectedGradientDescent(0.5, 2, 0.25, norm, relative_step=True)
    for epsilon in (0.5, 0.2):
        absolute = ProjectedGradientDescent(epsilon, 2, 0.25 * epsilon, norm)
        expected = absolute(rising, images)
        np.testing.assert_allclose(relative(rising, images, epsilon=epsilon), expected, rtol=1e-6)
        assert np.abs(expected).max() > 0.0
