"""Auto-PGD against the published algorithm in plain NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.auto_pgd_momentum import MomentumSteps
from robgan_tf.attacks.norms.linf import CHOICE as LINF
from tests.attacks.numpy_auto_pgd import NumpyAutoPGD
from tests.attacks.test_auto_pgd import (
    IMAGES,
    LABELS,
    SAFE,
    SEEDS,
    SHAPE,
    WEIGHTS,
    curved,
    flat,
    recorded,
    safe,
)

RANDOM = np.random.default_rng(0)
PUBLISHED_CHECKPOINTS = [22, 41, 57, 70, 80, 87, 93, 99]


def test_published_checkpoints():
    assert MomentumSteps(LINF).checkpoints(100) == PUBLISHED_CHECKPOINTS


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_few_steps(steps):
    assert MomentumSteps(LINF).checkpoints(steps) == list(range(1, steps + 1))
    logits_fn, seen = recorded(safe(curved, LABELS[:3]))
    AutoPGD(0.1, steps)(logits_fn, IMAGES[:3], LABELS[:3], SEEDS[:3])
    assert len(seen) == steps + 1


@pytest.mark.parametrize(("norm", "epsilon", "reach"), [("linf", 0.3, 1.0), ("l2", 0.5, 0.5)])
def test_equals_the_algorithm_in_numpy_on_a_curved_function(norm, epsilon, reach):
    count = 10
    images, labels = 2.0 * reach * IMAGES[:count], LABELS[:count]
    logits_fn, seen = recorded(safe(curved, labels))
    attack = AutoPGD(epsilon, 100, norm, "margin")
    attacked = attack(logits_fn, images, labels, SEEDS[:count]).numpy()
    verdicts = []
    for sample, (image, label) in enumerate(zip(images, labels, strict=True)):
        direction = (WEIGHTS[:, 1 - label] - WEIGHTS[:, label]).reshape(SHAPE)

        def objective(point, direction=direction):
            value = np.sum(direction * np.sin(6.0 * point)) - SAFE
            return value, 6.0 * direction * np.cos(6.0 * point)

        reference = NumpyAutoPGD(objective, epsilon, norm, 100)
        # The only thing taken over is the random start.
        _, best_value = reference.run(image, seen[0][sample], PUBLISHED_CHECKPOINTS)
        assert objective(attacked[sample])[0] == pytest.approx(best_value, abs=1e-9)
        verdicts.extend(reference.verdicts)
    assert np.mean([oscillates for oscillates, _, _ in verdicts]) > 0.3


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.3), ("l2", 0.5)])
def test_equals_the_algorithm_in_numpy_in_every_case_of_a_checkpoint(norm, epsilon):
    """Objectives and gradients come from a script, whatever the images: long rises, deep falls."""
    count = 60
    rises = RANDOM.uniform(size=[101, count]) < 0.8
    changes = np.where(rises, 1.0, -5.0) * RANDOM.uniform(size=[101, count])
    values = np.cumsum(changes, axis=0) - SAFE
    gradients = RANDOM.normal(size=[101, count, *SHAPE])
    images, labels, seen = IMAGES[:count], np.zeros(count, np.int32), []

    def scripted(attacked):
        step = len(seen)
        seen.append(attacked.numpy())
        slope = tf.reduce_sum(flat(attacked) * flat(gradients[step]), axis=1)
        value = values[step] + slope - tf.stop_gradient(slope)
        return tf.stack([tf.zeros_like(value), value], axis=1)

    attacked = AutoPGD(epsilon, 100, norm, "margin")(scripted, images, labels, SEEDS[:count])
    verdicts = set()
    for sample in range(count):
        script = zip(values[:, sample], gradients[:, sample], strict=True)
        reference = NumpyAutoPGD(lambda _, script=script: next(script), epsilon, norm, 100)
        start = seen[0][sample]
        iterates, _ = reference.run(images[sample], start, PUBLISHED_CHECKPOINTS)
        found = np.stack([iterate[sample] for iterate in seen])
        np.testing.assert_allclose(found, iterates, atol=1e-12)
        best = iterates[values[:, sample].argmax()]
        np.testing.assert_allclose(attacked[sample], best, atol=1e-12)
        verdicts.update(reference.verdicts)
    assert len(verdicts) == 8  # All combinations of the three conditions.
