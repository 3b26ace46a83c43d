"""PGD as a search: exact on linear models, one batch or many, the best iterate kept."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.pgd_search import PGDSearch, fgsm

RANDOM = np.random.default_rng(0)
IMAGES = tf.constant(RANDOM.uniform(-0.5, 0.5, [20, 4, 4, 3]), tf.float32)
LABELS = tf.constant(RANDOM.integers(0, 2, 20), tf.int32)
SEEDS = tf.constant(RANDOM.integers(0, 2**31, [20, 2]), tf.int32)
WEIGHTS = tf.constant(RANDOM.normal(size=[48, 2]), tf.float32)
# Away from the wrong class, for each label.
DIRECTION = np.asarray(WEIGHTS)[:, 1] - np.asarray(WEIGHTS)[:, 0]


def linear(images):
    return tf.matmul(tf.reshape(images, [-1, 48]), tf.cast(WEIGHTS, images.dtype))


def curved(images):
    return linear(tf.sin(9.0 * images))


def optimum(epsilon, norm):
    unit = np.sign(DIRECTION) if norm == "linf" else DIRECTION / np.linalg.norm(DIRECTION)
    towards = np.where(np.asarray(LABELS) == 0, 1.0, -1.0)[:, None] * unit
    return np.asarray(IMAGES) + epsilon * towards.reshape(-1, 4, 4, 3)


def lengths(attacked, norm):
    change = (np.asarray(attacked, np.float64) - np.asarray(IMAGES)).reshape(len(IMAGES), -1)
    return np.abs(change).max(axis=1) if norm == "linf" else np.linalg.norm(change, axis=1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("random_start", [False, True])
def test_reaches_the_optimum_of_a_linear_margin(norm, random_start):
    # The bias keeps every sample on its side: a fooled one is kept as it first was found.
    epsilon, biases = 0.3, 50.0 * tf.one_hot(LABELS, 2, dtype=tf.float64)
    steps = 20 if norm == "linf" else 200
    search = PGDSearch(epsilon, steps, 0.1, norm, random_start, objective="margin")
    images = tf.cast(IMAGES, tf.float64)

    @tf.function
    def attack():
        return search(lambda images: linear(images) + biases, images, LABELS, SEEDS)

    np.testing.assert_allclose(attack(), optimum(epsilon, norm), atol=1e-5)


def test_fgsm_is_one_step_along_the_sign_of_the_gradient():
    with tf.GradientTape() as tape:
        tape.watch(IMAGES)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, curved(IMAGES))
    expected = IMAGES + 0.1 * tf.sign(tape.gradient(losses, IMAGES))
    np.testing.assert_allclose(fgsm(0.1)(curved, IMAGES, LABELS, SEEDS), expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("keep", ["best", "last"])
def test_stays_in_ball_and_box(norm, keep):
    search = PGDSearch(0.6, 7, 0.4, norm, random_start=True, keep=keep)
    attacked = search(curved, IMAGES, LABELS, SEEDS)
    assert lengths(attacked, norm).max() <= 0.6 + 1e-6
    assert np.abs(attacked).max() <= 1.0


def test_keeps_the_best_iterate():
    def objectives(keep):
        search = PGDSearch(0.5, 15, 0.45, keep=keep, objective="margin")
        attacked = search(curved, IMAGES, LABELS, SEEDS)
        logits = np.asarray(curved(attacked))
        rows, labels = np.arange(20), np.asarray(LABELS)
        return logits[rows, 1 - labels] - logits[rows, labels]

    best, last = objectives("best"), objectives("last")
    assert ((best > 0) >= (last > 0)).all()
    unfooled = best <= 0
    assert (best[unfooled] >= last[unfooled] - 1e-5).all()
    assert (best > 0).sum() > (last > 0).sum()


@pytest.mark.parametrize("size", [1, 7, 20])
def test_a_result_does_not_depend_on_the_batch(size):
    search = PGDSearch(0.3, 5, 0.1, random_start=True, restarts=2)
    whole = search(curved, IMAGES, LABELS, SEEDS, 1)
    parts = [
        search(curved, IMAGES[i : i + size], LABELS[i : i + size], SEEDS[i : i + size], 1)
        for i in range(0, 20, size)
    ]
    np.testing.assert_allclose(tf.concat(parts, 0), whole, atol=1e-6)


def test_rounds_start_at_other_points_and_repeat():
    search = PGDSearch(0.3, 1, 0.0, random_start=True, restarts=2, keep="last")
    zero, one, again = (search(linear, IMAGES, LABELS, SEEDS, number) for number in (0, 1, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(zero - one).max() > 0.1


@pytest.mark.parametrize("options", [{"epsilon": 0.0, "steps": 3}, {"epsilon": 0.1, "steps": 0}])
def test_nothing_to_do_returns_the_images(options):
    search = PGDSearch(step_size=0.1, random_start=True, **options)
    np.testing.assert_array_equal(search(curved, IMAGES, LABELS, SEEDS), IMAGES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "targeted_dlr"}, "'targeted_dlr' does not exist; choose one of cross_"),
        ({"keep": "first"}, "'first' does not exist; choose one of best, last"),
        ({"restarts": 3}, "must be 1, or more with random_start=True, not 3"),
        ({"epsilon": -1.0}, "epsilon must not be negative"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        PGDSearch(**{"epsilon": 0.1, "steps": 1, "step_size": 0.1, **options})


def test_dlr_needs_three_classes():
    with pytest.raises(ValueError, match=r"'dlr' needs logits with .* at least 3, got 2"):
        PGDSearch(0.1, 1, 0.1, objective="dlr")(linear, IMAGES, LABELS, SEEDS)
