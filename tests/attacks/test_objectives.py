"""Objectives against their definitions in numpy."""

import numpy as np
import tensorflow as tf

from robgan_tf.attacks import objectives

LOGITS = np.random.default_rng(0).normal(size=(8, 5))
LABELS = np.array([0, 1, 2, 3, 4, 0, 1, 2], np.int32)
ROWS = np.arange(8)


def values(name, logits=LOGITS):
    return np.asarray(objectives.OBJECTIVES[name](tf.constant(logits), LABELS))


def others():
    return np.where(np.eye(5, dtype=bool)[LABELS], -np.inf, LOGITS)


def test_cross_entropy():
    expected = np.log(np.exp(LOGITS).sum(axis=1)) - LOGITS[ROWS, LABELS]
    np.testing.assert_allclose(values("cross_entropy"), expected, rtol=1e-12)


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
