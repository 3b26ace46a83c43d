"""The norm L1: its steps, its random points, and what attacks make of it."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from robgan_tf.attacks import PGDSearch, ProjectedGradientDescent, fgsm
from robgan_tf.attacks.norms.l1 import CHOICE as L1
from robgan_tf.attacks.protocols.mi_fgsm import MomentumSearch
from robgan_tf.attacks.sparse_ascent import signs_of_largest
from robgan_tf.robustness.verification import rounding

RANDOM = np.random.default_rng(3)
COUNT, SHAPE, VALUES = 20, (8, 8, 3), 192
IMAGES = RANDOM.uniform(-1.0, 1.0, [COUNT, *SHAPE]).astype(np.float32)
WEIGHTS = RANDOM.normal(size=VALUES).astype(np.float32)
LABELS = np.zeros(COUNT, np.int32)
SEEDS = RANDOM.integers(0, 2**31 - 1, [COUNT, 2]).astype(np.int32)


def score(images):
    return tf.linalg.matvec(tf.reshape(images, [-1, VALUES]), WEIGHTS)


def safe_logits(images):
    return tf.stack([tf.zeros_like(score(images)), score(images) - 1e3], axis=1)


def knapsack(images, weights, epsilon):
    """The highest rise of weights @ images [N, d] in ball and box: the heaviest values go first."""
    order = np.argsort(-np.abs(weights))
    room = (1.0 - np.sign(weights) * images)[:, order]
    filled = np.minimum(np.cumsum(room, axis=1), epsilon)
    return np.diff(filled, axis=1, prepend=0.0) @ np.abs(weights)[order]


def length(images):
    return np.abs(images.astype(np.float64) - IMAGES).sum((1, 2, 3))


def test_a_step_moves_the_values_with_the_largest_gradient():
    gradient = tf.constant([[3.0, -5.0, 0.0, 4.0, -4.0], [0.0, 0.0, -1e-30, 0.0, 0.0], [0.0] * 5])
    third = 1.0 / 3.0
    np.testing.assert_allclose(
        signs_of_largest(gradient, tf.constant([1, 1, 1])),
        [[0, -1, 0, 0, 0], [0, 0, -1, 0, 0], [0] * 5],
    )
    two = [[0, -third, 0, third, -third], [0, 0, -1, 0, 0], [0] * 5]
    np.testing.assert_allclose(signs_of_largest(gradient, 2), two)
    np.testing.assert_array_equal(
        signs_of_largest(gradient, tf.constant([2, 5, 3])), signs_of_largest(gradient, 2)
    )


def test_ascent_moves_a_hundredth_and_none_that_the_box_stops():
    gradient = tf.constant(RANDOM.normal(size=IMAGES.shape), tf.float32)
    step = L1.ascent(gradient).numpy().reshape(COUNT, VALUES)
    np.testing.assert_array_equal(np.count_nonzero(step, axis=1), 2)
    np.testing.assert_allclose(L1.norm(step), 1.0, rtol=1e-6)
    cornered = tf.sign(gradient) * tf.cast(tf.abs(gradient) > 1.0, tf.float32)
    step = L1.ascent_within_box(cornered, gradient)
    sizes = tf.where(tf.abs(gradient) > 1.0, 0.0, tf.abs(gradient))
    largest = np.argmax(tf.reshape(sizes, [COUNT, -1]), axis=1)
    moved = np.reshape(step, [COUNT, -1])[np.arange(COUNT), largest]
    np.testing.assert_allclose(np.abs(moved), 0.5)


def test_random_points_are_uniform_in_the_ball():
    @tf.function
    def draw(seeds):
        def one(seed):
            return L1.random(tf.constant([3]), 0.5, seed, tf.float32)

        return tf.map_fn(one, seeds, fn_output_signature=tf.float32)

    points = draw(tf.constant(RANDOM.integers(0, 2**31 - 1, [2000, 2]), tf.int32)).numpy()
    radii = np.abs(points).sum(1) / 0.5
    assert stats.kstest(radii**3, "uniform").pvalue > 1e-3
    shares = np.abs(points) / np.abs(points).sum(1, keepdims=True)
    for values in shares.T:
        assert stats.kstest(values, stats.beta(1, 2).cdf).pvalue > 1e-3
    assert np.abs((points > 0).mean(0) - 0.5).max() < 0.03


def test_distance_and_grey_radius():
    change = RANDOM.normal(size=[5, 7])
    np.testing.assert_allclose(L1.distance(change), np.abs(change).sum(1))
    np.testing.assert_allclose(L1.norm(tf.constant(change)), L1.distance(change))
    assert L1.distance(np.ones([1, 48]))[0] == L1.grey_radius(48)


@pytest.mark.parametrize("epsilon", [0.5, 12.0])
def test_pgd_stays_in_ball_and_box_and_climbs(epsilon):
    """Steps that move several values by the same come towards the optimum, not quite to it."""
    attack = ProjectedGradientDescent(epsilon, 60, epsilon / 6, norm="l1", random_start=True)
    # As an evaluation is compiled, for any number of images.
    signature = [tf.TensorSpec([None, *SHAPE]), tf.TensorSpec([None, 2], tf.int32)]
    run = tf.function(lambda *given: attack(score, *given), input_signature=signature)
    attacked = run(IMAGES, SEEDS).numpy()
    assert np.abs(attacked).max() <= 1.0
    assert length(attacked).max() <= epsilon + rounding(VALUES, epsilon, "l1")
    reached = np.sum((attacked - IMAGES).reshape(COUNT, VALUES) * WEIGHTS, axis=1)
    best = knapsack(IMAGES.reshape(COUNT, VALUES), WEIGHTS, epsilon)
    assert np.all(reached > 0.3 * best)
    assert np.all(reached <= best * (1.0 + 1e-5))


def test_other_attacks_stay_in_ball_and_box():
    searches = [fgsm(3.0, "l1"), MomentumSearch(3.0, norm="l1")]
    searches.append(PGDSearch(3.0, 5, 1.0, "l1", random_start=True, objective="margin"))
    for search in searches:
        attacked = search(safe_logits, IMAGES, LABELS, SEEDS).numpy()
        assert np.abs(attacked).max() <= 1.0
        assert 1.0 < length(attacked).max() <= 3.0 + rounding(VALUES, 3.0, "l1")
        assert np.all(score(attacked) > score(IMAGES))


def test_a_warm_up_may_begin_with_no_radius():
    attack = ProjectedGradientDescent(1.0, 2, 0.5, norm="l1", relative_step=True)
    attacked = attack(score, IMAGES, epsilon=tf.constant(0.0))
    np.testing.assert_array_equal(attacked, IMAGES)
