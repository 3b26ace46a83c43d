"""Auto-PGD in L1: its sparse steps, its larger balls, and the optimum of a linear model."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.robustness.verification import rounding
from tests.attacks.compiled import compiled
from tests.attacks.numpy_sparse_auto_pgd import NumpySparseAutoPGD
from tests.attacks.test_auto_pgd import recorded
from tests.attacks.test_l1 import COUNT, IMAGES, LABELS, SEEDS, SHAPE, VALUES, WEIGHTS, knapsack

RANDOM = np.random.default_rng(11)


def two_classes(score):
    """A classifier of whose label, 0, the margin is the score."""

    def logits(images):
        # Sums over one image at a time have the same bits in any batch.
        value = score(tf.reshape(images, [-1, VALUES]))
        return tf.stack([tf.zeros_like(value), value], axis=1)

    return logits


def linear(images):
    return tf.reduce_sum(images * tf.cast(WEIGHTS, images.dtype), axis=1)


def curved(images):
    return tf.reduce_sum(tf.sin(6.0 * images) * tf.cast(WEIGHTS, images.dtype), axis=1)


def safe(score):
    return two_classes(lambda images: score(images) - 1e3)


def length(attacked, images=IMAGES):
    return np.abs(attacked.astype(np.float64) - images).sum((1, 2, 3))


@pytest.mark.parametrize("large_radii", [False, True])
def test_reaches_the_optimum_of_a_linear_model(large_radii):
    """It is that of a knapsack: the heaviest values go as far as the box lets them.

    With a radius that a few values fill, the published steps end at two values and not at one.
    """
    epsilon = 12.0
    attack = AutoPGD(epsilon, 100, "l1", "margin", large_radii=large_radii)
    run = compiled(attack, safe(linear), SHAPE, tf.float64)
    attacked = run(IMAGES.astype(np.float64), LABELS, SEEDS)
    rise = np.sum((attacked - IMAGES).reshape(COUNT, VALUES) * WEIGHTS, axis=1)
    best = knapsack(IMAGES.reshape(COUNT, VALUES), WEIGHTS, epsilon)
    assert np.all(rise <= best * (1.0 + 1e-6))
    assert np.mean(rise / best) >= 0.99
    assert np.all(rise >= 0.97 * best)
    # Clipping to the box alone would leave what it takes from the heaviest values.
    np.testing.assert_allclose(length(attacked), epsilon, rtol=1e-6)


@pytest.mark.parametrize("reach", [0.5, 1.0])
@pytest.mark.parametrize("epsilon", [0.3, 8.0, 1e3])
def test_every_iterate_stays_in_ball_and_box(epsilon, reach):
    images = reach * IMAGES
    logits_fn, seen = recorded(safe(curved))
    attacked = AutoPGD(epsilon, 6, "l1")(logits_fn, images, LABELS, SEEDS).numpy()
    assert len(seen) == 7
    for iterate in [*seen, attacked]:
        assert length(iterate, images).max() <= epsilon + rounding(VALUES, epsilon, "l1")
        assert np.abs(iterate).max() <= 1.0
    assert len({images.tobytes() for images in seen}) > 2


def test_larger_balls_come_first():
    logits_fn, seen = recorded(safe(curved))
    attack = AutoPGD(2.0, 10, "l1", large_radii=True)
    attacked = attack(logits_fn, IMAGES, LABELS, SEEDS).numpy()
    farthest = [length(images).max() for images in seen]
    np.testing.assert_allclose(farthest, [6.0] * 4 + [4.0] * 4 + [2.0] * 5, rtol=1e-5)
    assert length(attacked).max() <= 2.0 + rounding(VALUES, 2.0, "l1")
    for steps in (1, 3, 4, 7):
        logits_fn, seen = recorded(safe(curved))
        AutoPGD(2.0, steps, "l1", large_radii=True)(logits_fn, IMAGES, LABELS, SEEDS)
        assert len(seen) == steps + (1 if steps < 4 else 3)
        assert length(seen[-1]).max() <= 2.0 + rounding(VALUES, 2.0, "l1")


def test_who_is_fooled_in_a_larger_ball_alone_is_not_fooled():
    """The score is above zero only where an image has changed by more than the radius."""
    images = tf.constant(IMAGES.reshape(COUNT, VALUES))

    def far(attacked):
        return tf.reduce_sum(tf.abs(attacked - images), axis=1) - 2.2

    attack = AutoPGD(2.0, 10, "l1", "margin", large_radii=True)
    attacked = attack(two_classes(far), IMAGES, LABELS, SEEDS).numpy()
    np.testing.assert_allclose(length(attacked), 2.0, rtol=1e-5)


@pytest.mark.parametrize("large_radii", [False, True])
def test_equals_the_algorithm_in_numpy(large_radii):
    """Objectives and gradients come from a script: rises and falls, whatever the images."""
    epsilon, steps, count = 3.0, 100, 4
    passes = steps + (3 if large_radii else 1)
    rises = RANDOM.uniform(size=[passes, count]) < 0.7
    changes = np.where(rises, 1.0, -2.0) * RANDOM.uniform(size=[passes, count])
    values = np.cumsum(changes, axis=0) - 1e3
    # Most gradients point the same way, so that images become sparse.
    gradients = WEIGHTS.astype(float).reshape(SHAPE) ** 3 + RANDOM.normal(
        scale=0.3, size=[passes, count, *SHAPE]
    )
    images, seen = IMAGES[:count].astype(np.float64), []

    def scripted(attacked):
        step = len(seen)
        seen.append(attacked.numpy())
        slope = tf.reduce_sum(attacked * gradients[step], axis=[1, 2, 3])
        value = values[step] + slope - tf.stop_gradient(slope)
        return tf.stack([tf.zeros_like(value), value], axis=1)

    attack = AutoPGD(epsilon, steps, "l1", "margin", large_radii=large_radii)
    attacked = attack(scripted, images, LABELS[:count], SEEDS[:count]).numpy()
    stages = [(3.0, 30, 1), (2.0, 30, 1), (1.0, 40, 1)] if large_radii else [(1.0, 100, 4)]
    verdicts, first = set(), 0
    for radii, length_of_stage, window in stages:
        last = first + length_of_stage + 1
        for sample in range(count):
            script = zip(values[first:last, sample], gradients[first:last, sample], strict=True)
            reference = NumpySparseAutoPGD(
                lambda _, script=script: next(script),
                radii * epsilon,
                length_of_stage,
                window,
                from_start=large_radii,
            )
            iterates, best = reference.run(images[sample], seen[first][sample])
            found = np.stack([iterate[sample] for iterate in seen[first:last]])
            np.testing.assert_allclose(found, iterates, atol=1e-9)
            if radii == 1.0:
                np.testing.assert_allclose(attacked[sample], best, atol=1e-9)
            verdicts.update(reference.verdicts)
        first = last
    assert len(seen) == passes
    assert verdicts == {(True, False), (False, False), (False, True)}


@pytest.mark.parametrize("large_radii", [False, True])
def test_bits_do_not_depend_on_the_batch(large_radii):
    attack = AutoPGD(6.0, 20, "l1", large_radii=large_radii)
    farthest = attack(safe(curved), IMAGES, LABELS, SEEDS)
    reached = curved(tf.reshape(farthest, [COUNT, VALUES])).numpy()
    logits_fn = two_classes(lambda images: curved(images) - np.median(reached))
    run = compiled(attack, logits_fn, SHAPE, tf.float32)
    together = run(IMAGES, LABELS, SEEDS)
    fooled = np.argmax(logits_fn(together), axis=1) > 0
    assert 0 < fooled.sum() < COUNT  # Those leave the batch, and change nothing for the others.
    for size in (1, 7):
        parts = [slice(first, first + size) for first in range(0, COUNT, size)]
        apart = np.concatenate([run(IMAGES[part], LABELS[part], SEEDS[part]) for part in parts])
        np.testing.assert_array_equal(apart, together)


def test_larger_balls_are_for_sparse_norms():
    with pytest.raises(ValueError, match="large_radii goes with a sparse norm such as 'l1'"):
        AutoPGD(0.1, large_radii=True)
