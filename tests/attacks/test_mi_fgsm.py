"""MI-FGSM against an implementation in NumPy with gradients written out."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.protocol import make_attacks
from robgan_tf.attacks.protocols.mi_fgsm import MomentumSearch
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.subjects import Classifier

generator = np.random.default_rng(3)
FIRST = generator.normal(size=[12, 8]).astype(np.float32)
SECOND = generator.normal(size=[8, 4]).astype(np.float32)
IMAGES = generator.uniform(-1.0, 1.0, [6, 2, 2, 3]).astype(np.float32)
LABELS = np.array([0, 1, 2, 3, 0, 2])
SEEDS = tf.zeros([6, 2], tf.int32)


def logits(images):
    hidden = tf.tanh(tf.reshape(images, [-1, 12]) @ FIRST)
    return hidden @ SECOND


def gradient_of_cross_entropy(flat):
    hidden = np.tanh(flat @ FIRST)
    scores = hidden @ SECOND
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    probabilities[np.arange(len(flat)), LABELS] -= 1.0
    return ((probabilities @ SECOND.T) * (1.0 - hidden**2)) @ FIRST.T


def by_hand(epsilon, norm, steps=10, decay=1.0):
    """Algorithm 1 of Dong et al., and its equation (8), in float64."""
    start = IMAGES.reshape(6, -1).astype(np.float64)
    flat, accumulated = start.copy(), np.zeros_like(start)
    for _ in range(steps):
        gradient = gradient_of_cross_entropy(flat)
        accumulated = decay * accumulated + gradient / np.abs(gradient).sum(axis=1, keepdims=True)
        if norm == "linf":
            flat = flat + epsilon / steps * np.sign(accumulated)
        else:
            length = np.sqrt((accumulated**2).sum(axis=1, keepdims=True))
            flat = flat + epsilon / steps * accumulated / length
        flat = np.clip(flat, -1.0, 1.0)
    return flat.reshape(IMAGES.shape)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("linf", 0.6), ("l2", 0.7)])
def test_it_is_the_papers_algorithm(norm, epsilon):
    (attack,) = make_attacks("mi-fgsm", epsilon, norm, 4)
    found = tf.function(attack)(logits, tf.constant(IMAGES), LABELS, SEEDS)
    np.testing.assert_allclose(found, by_hand(epsilon, norm), atol=2e-5)


def test_momentum_is_what_tells_it_from_iterated_fgsm():
    with_momentum, without = by_hand(0.6, "linf"), by_hand(0.6, "linf", decay=0.0)
    assert np.abs(with_momentum - without).max() > 0.1
    found = MomentumSearch(0.6, decay=0.0)(logits, IMAGES, LABELS, SEEDS)
    np.testing.assert_allclose(found, without, atol=2e-5)


def test_a_gradient_of_zero_moves_nothing():
    def flat_logits(images):
        return 0.0 * logits(images)

    found = MomentumSearch(0.1)(flat_logits, IMAGES, LABELS, SEEDS)
    np.testing.assert_array_equal(found, IMAGES)


def test_an_evaluation_runs_it():
    attacks = make_attacks("mi-fgsm", 0.6, "linf", 4)
    compiled = CompiledClassifier(Classifier("x", logits, "test"), (2, 2, 3))
    evaluation = RobustnessEvaluation(compiled, attacks, 6, 0)
    own = np.argmax(logits(IMAGES), axis=1)
    outcome = evaluation.run(IMAGES, own)
    assert set(outcome.fooled_by) <= {"", "mi-fgsm"}
    assert "mi-fgsm" in outcome.fooled_by


def test_numbers_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="steps must be at least 1, not 0"):
        MomentumSearch(0.1, steps=0)
    with pytest.raises(ValueError, match="epsilon must not be negative"):
        MomentumSearch(-0.1)
