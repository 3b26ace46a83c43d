"""Objectives against their definitions in numpy."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import objectives
from robgan_tf.losses.adversarial import class_loss

LOGITS = np.random.default_rng(0).normal(size=(8, 5))
LABELS = np.array([0, 1, 2, 3, 4, 0, 1, 2], np.int32)
ROWS = np.arange(8)


def values(name, logits=LOGITS):
    return np.asarray(objectives.OBJECTIVES[name](tf.constant(logits), LABELS))


def others():
    return np.where(np.eye(5, dtype=bool)[LABELS], -np.inf, LOGITS)


def test_cross_entropy():
    """The log-odds, of which cross-entropy is a rising function, and with the same direction."""
    cross_entropy = np.log(np.exp(LOGITS).sum(axis=1)) - LOGITS[ROWS, LABELS]
    found = values("cross_entropy")
    np.testing.assert_allclose(np.log1p(np.exp(found)), cross_entropy, rtol=1e-12)
    np.testing.assert_allclose(found, np.log(np.expm1(cross_entropy)), rtol=1e-12)


def gradient(function, logits, dtype):
    logits = tf.constant(logits, dtype)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = function(logits, LABELS)
    return np.asarray(tape.gradient(found, logits), np.float64)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 10.0, 300.0])
def test_the_direction_of_cross_entropy_keeps_its_parts_in_float32(scale):
    # For its own class each label leads by 10 times the scale: cross-entropy soon underflows.
    logits = scale * (LOGITS + 10.0 * np.eye(5)[LABELS])
    in_float32 = gradient(objectives.OBJECTIVES["cross_entropy"], logits, tf.float32)
    others = np.where(np.eye(5, dtype=bool)[LABELS], -np.inf, logits)
    shares = np.exp(others - others.max(axis=1, keepdims=True))
    expected = shares / shares.sum(axis=1, keepdims=True) - np.eye(5)[LABELS]
    np.testing.assert_allclose(in_float32, expected, atol=2e-5)
    if scale <= 1.0:  # Where float64 knows it, it is that of cross-entropy.
        plain = gradient(class_loss, logits, tf.float64)
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (plain, expected)]
        np.testing.assert_allclose(unit[0], unit[1], atol=1e-6)


@pytest.mark.parametrize("name", ["dlr", "targeted_dlr"])
def test_a_ratio_is_the_same_at_every_scale(name):
    more = (np.roll(LABELS, 1),) if name == "targeted_dlr" else ()
    once, often = (
        np.asarray(objectives.OBJECTIVES[name](tf.constant(scale * LOGITS), LABELS, *more))
        for scale in (1.0, 1e-15)
    )
    np.testing.assert_allclose(often, once, rtol=1e-9)


def test_margin_is_positive_exactly_where_fooled():
    expected = others().max(axis=1) - LOGITS[ROWS, LABELS]
    np.testing.assert_allclose(values("margin"), expected, rtol=1e-12)
    fooled = np.asarray(objectives.is_fooled(tf.constant(LOGITS), tf.constant(LABELS)))
    np.testing.assert_array_equal(fooled, expected > 0)
    assert 0 < fooled.sum() < 8


def test_dlr():
    ordered = np.sort(LOGITS, axis=1)[:, ::-1]
    expected = (others().max(axis=1) - LOGITS[ROWS, LABELS]) / (ordered[:, 0] - ordered[:, 2])
    np.testing.assert_allclose(values("dlr"), expected, rtol=1e-9)


def test_targeted_dlr():
    ordered = np.sort(LOGITS, axis=1)[:, ::-1]
    for rank in range(4):
        targets = objectives.target_classes(tf.constant(LOGITS), tf.constant(LABELS), rank)
        np.testing.assert_array_equal(targets, np.argsort(-others(), axis=1)[:, rank])
        found = objectives.targeted_dlr(tf.constant(LOGITS), LABELS, targets)
        spread = ordered[:, 0] - ordered[:, 2:4].mean(axis=1)
        expected = (LOGITS[ROWS, np.asarray(targets)] - LOGITS[ROWS, LABELS]) / spread
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_ratios_do_not_change_when_logits_are_shifted_and_scaled():
    np.testing.assert_allclose(values("dlr"), values("dlr", 7.0 * LOGITS + 3.0), rtol=1e-9)


def test_gradients_are_finite_with_equal_logits():
    for name in ("cross_entropy", "margin", "dlr"):
        logits = tf.zeros([2, 4])
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = objectives.OBJECTIVES[name](logits, tf.constant([0, 1]))
        assert np.isfinite(tape.gradient(loss, logits)).all()
