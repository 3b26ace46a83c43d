"""Objectives of stage 2 against their equations in float64 NumPy, and differences of them."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.choices import OBJECTIVES
from robgan_tf.losses import divergence

LABELS = np.array([0, 2, 1, 3])
SMOOTHING = np.array([0.0, 0.0, 0.1, 0.2])
WEIGHT = 5.0


def logits(seed, scale=2.0):
    return np.random.default_rng(seed).normal(size=[4, 4]) * scale


def softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cross_entropy(z):
    targets = (1.0 - SMOOTHING[:, None]) * np.eye(4)[LABELS] + SMOOTHING[:, None] / 4.0
    return -(targets * np.log(softmax(z))).sum(axis=1)


def kullback_leibler(clean, attacked):
    p, q = softmax(clean), softmax(attacked)
    return (p * np.log(p / q)).sum(axis=1)


def adversarial_training(clean, attacked):
    return cross_entropy(attacked)


def trades(clean, attacked):
    return cross_entropy(clean) + WEIGHT * kullback_leibler(clean, attacked)


def mart(clean, attacked):
    rows = np.arange(4)
    wrong = np.where(np.eye(4)[LABELS] == 1.0, 0.0, softmax(attacked)).max(axis=1)
    boosted = cross_entropy(attacked) - np.log(1.0 - wrong)
    true = softmax(clean)[rows, LABELS]
    return boosted + WEIGHT * (1.0 - true) * kullback_leibler(clean, attacked)


REFERENCES = {"adversarial_training": adversarial_training, "trades": trades, "mart": mart}


def slopes(function, values, size=1e-6):
    """The gradient of the sum of a function's values, by central differences."""
    result = np.zeros_like(values)
    for index in np.ndindex(*values.shape):
        step = np.zeros_like(values)
        step[index] = size
        result[index] = (function(values + step) - function(values - step)).sum() / (2.0 * size)
    return result


def test_every_objective_has_a_reference():
    assert set(OBJECTIVES.shipped()) == set(REFERENCES)


@pytest.mark.parametrize("name", REFERENCES)
def test_values_and_gradients_are_those_of_the_equation(name):
    clean, attacked = logits(0), logits(1)
    objective, reference = OBJECTIVES.get(name)(WEIGHT), REFERENCES[name]
    given = [tf.constant(clean), tf.constant(attacked)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        terms = objective.terms(given[1], given[0], tf.constant(LABELS), tf.constant(SMOOTHING))
    of_clean, of_attacked = tape.gradient(terms.total, given)
    np.testing.assert_allclose(terms.total, reference(clean, attacked), rtol=1e-10)
    np.testing.assert_allclose(terms.attacked_class, cross_entropy(attacked), rtol=1e-10)
    np.testing.assert_allclose(
        of_attacked, slopes(lambda z: reference(clean, z), attacked), rtol=1e-6, atol=1e-8
    )
    if objective.uses_clean:
        np.testing.assert_allclose(
            of_clean, slopes(lambda z: reference(z, attacked), clean), rtol=1e-6, atol=1e-8
        )
    else:
        assert of_clean is None


def test_what_each_attack_maximises():
    clean, attacked = logits(0), logits(1)
    labels, plain = tf.constant(LABELS), -np.log(softmax(attacked)[np.arange(4), LABELS])
    for name, expected in (
        ("adversarial_training", plain),
        ("trades", kullback_leibler(clean, attacked)),
        ("mart", plain),
    ):
        losses = OBJECTIVES.get(name)().attack_losses(tf.constant(attacked), clean, labels)
        np.testing.assert_allclose(losses, expected, rtol=1e-10)


@pytest.mark.parametrize("name", REFERENCES)
def test_logits_of_any_size_have_finite_values_and_gradients(name):
    """All certain, and in single precision: right, wrong by a lot, and equal to the clean image."""
    clean = np.float32([[3e4, 0, -3e4, 1], [0, -4e4, 4e4, 0], [5e4, 0, 0, 0], [0, 0, 0, 9e4]])
    attacked = np.float32([[-3e4, 0, 3e4, 1], [0, 4e4, -4e4, 0], [5e4, 0, 0, 0], [0, 0, 0, 9e4]])
    given = [tf.constant(clean), tf.constant(attacked)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = OBJECTIVES.get(name)().terms(given[1], given[0], LABELS, tf.zeros(4)).total
    for values in (total, *filter(lambda x: x is not None, tape.gradient(total, given))):
        assert np.isfinite(values).all()


def test_the_divergence_of_certain_predictions_is_their_distance_in_logits():
    clean, attacked = tf.constant([[1e4, 0.0]]), tf.constant([[0.0, 1e4]])
    assert float(divergence(clean, attacked)[0]) == 1e4
    assert float(divergence(clean, clean)[0]) == 0.0


def test_mart_bounds_no_certain_mistake():
    """-log(1 - p) of a wrong class that is certain is what its logit is ahead by, with a slope."""
    attacked = tf.constant([[0.0, 50.0, -5.0, -7.0]])
    with tf.GradientTape() as tape:
        tape.watch(attacked)
        terms = OBJECTIVES.get("mart")(0.0).terms(attacked, tf.zeros([1, 4]), [0], tf.zeros(1))
    others = np.log(np.exp([0.0, -5.0, -7.0]).sum())
    assert float(terms.others["margin"][0]) == pytest.approx(50.0 - others, rel=1e-6)
    # Of it and of the cross-entropy, which is 50 too.
    assert float(tape.gradient(terms.total, attacked)[0, 1]) == pytest.approx(2.0)
