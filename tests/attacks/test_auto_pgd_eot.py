"""Expectation over transformation: Auto-PGD on models that do not answer twice alike."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from tests.attacks.compiled import compiled
from tests.attacks.test_auto_pgd import (
    COUNT,
    IMAGES,
    LABELS,
    SEEDS,
    SHAPE,
    WEIGHTS,
    curved,
    flat,
    linear,
    safe,
)

NOISE = 5.0 * np.random.default_rng(5).normal(size=[2, *WEIGHTS.shape])
# Each is far from their mean, which is WEIGHTS.
TURNS = [WEIGHTS + NOISE[0], WEIGHTS - NOISE[0] + NOISE[1], WEIGHTS - NOISE[1]]
UPHILL = (WEIGHTS[:, 1 - LABELS] - WEIGHTS[:, LABELS]).T


class InTurn:
    """A model whose passes are those of several functions of images, one after another."""

    def __init__(self, *functions):
        self._functions = functions
        self._passes = tf.Variable(-1, trainable=False)
        self.traced = 0

    def __call__(self, images):
        self.traced += 1
        turn = self._passes.assign_add(1) % len(self._functions)
        return tf.switch_case(turn, [lambda f=f: f(images) for f in self._functions])


def in_turn():
    return InTurn(*(safe(lambda images, w=w: flat(images) @ w) for w in TURNS))


def reached(norm, eot):
    """The share of the highest rise of the mean margin that an attack reaches, [N]."""
    attack = AutoPGD(0.1, 30, norm, "margin", eot=eot)
    attacked = compiled(attack, in_turn(), SHAPE, tf.float64)(IMAGES, LABELS, SEEDS)
    dual = {"linf": 1, "l2": 2}[norm]
    rise = np.sum((attacked - IMAGES).reshape(UPHILL.shape) * UPHILL, axis=1)
    return rise / (0.1 * np.linalg.norm(UPHILL, axis=1, ord=dual))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_reaches_the_optimum_of_the_mean_over_all_passes(norm):
    np.testing.assert_allclose(reached(norm, 3), 1.0, rtol=1e-3)
    assert reached(norm, 1).mean() < 0.8


def test_on_a_model_that_is_a_function_it_changes_nothing():
    one, four = (
        compiled(AutoPGD(0.1, 8, eot=eot), safe(curved), SHAPE, tf.float64) for eot in (1, 4)
    )
    expected = one(IMAGES, LABELS, SEEDS)
    np.testing.assert_allclose(four(IMAGES, LABELS, SEEDS), expected, atol=1e-9)


def test_a_sample_is_fooled_where_it_is_in_every_pass():
    images, labels = IMAGES[:20], LABELS[:20]
    right, wrong = safe(linear, labels), safe(linear, 1 - labels)
    for functions, steps_made in (((wrong, right), 6), ((wrong, wrong), 0)):
        model = InTurn(*functions)
        AutoPGD(0.1, 6, objective="margin", eot=2)(model, images, labels, SEEDS[:20])
        assert model.traced == 2 * (1 + steps_made)


def test_the_graph_does_not_grow_with_the_passes():
    def traced(eot):
        model = in_turn()
        compiled(AutoPGD(0.1, 2, eot=eot), model, SHAPE, tf.float64)(IMAGES, LABELS, SEEDS)
        return model.traced

    assert traced(20) == traced(2) == traced(1)


def test_the_result_does_not_depend_on_the_batch():
    model = InTurn(curved, linear)
    labels = np.argmax(linear(IMAGES), axis=1).astype(np.int32)
    attack = AutoPGD(0.03, 10, objective="margin", eot=2)
    run = compiled(attack, model, SHAPE, tf.float64)
    together = run(IMAGES, labels, SEEDS)
    parts = [slice(first, first + 9) for first in range(0, COUNT, 9)]
    apart = np.concatenate([run(IMAGES[p], labels[p], SEEDS[p]) for p in parts])
    np.testing.assert_allclose(apart, together, atol=1e-9)


def test_refuses_no_pass():
    with pytest.raises(ValueError, match=r"AutoPGD\.eot must be at least 1, got 0"):
        AutoPGD(0.1, eot=0)
