"""Equations (8) and (9) against numbers computed by hand."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.losses.adversarial import AdversarialLoss, class_loss, smoothed_class_loss

# sigmoid(ln 3) = 3/4 and sigmoid(0) = 1/2; softmax(ln [1, 2, 5]) = [1/8, 2/8, 5/8].
SOURCE = tf.constant([math.log(3.0), 0.0])
CLASSES = tf.math.log(tf.constant([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
LABELS = tf.constant([2, 0])
REAL = np.log([4 / 3, 2.0])  # -log P(real)
FAKE = np.log([4.0, 2.0])  # -log P(fake)
CLASS = np.log([8 / 5, 4.0])  # -log P(C = label)


def test_class_loss_by_hand():
    np.testing.assert_allclose(class_loss(CLASSES, LABELS), CLASS, rtol=1e-6)


@pytest.mark.parametrize(
    ("form", "weights", "expected"),
    [
        ("split", "paper", (REAL + CLASS, FAKE, REAL + CLASS)),
        ("ac_gan", "paper", (REAL + CLASS, FAKE + CLASS, REAL + CLASS)),
        ("split", "official_code", (0.5 * REAL + 0.5 * CLASS, FAKE, 0.5 * REAL + 0.5 * CLASS)),
        (
            "ac_gan",
            "official_code",
            (0.5 * REAL + 0.5 * CLASS, 0.5 * FAKE + 0.5 * CLASS, 0.5 * REAL + 0.5 * CLASS),
        ),
    ],
)
def test_equations_by_hand(form, weights, expected):
    loss = AdversarialLoss(form, weights)
    for method, values in zip(
        (loss.discriminator_real, loss.discriminator_fake, loss.generator), expected, strict=True
    ):
        np.testing.assert_allclose(method(SOURCE, CLASSES, LABELS).total, values, rtol=1e-6)


def test_terms_are_unweighted():
    terms = AdversarialLoss("split", "official_code").discriminator_real(SOURCE, CLASSES, LABELS)
    np.testing.assert_allclose(terms.source, REAL, rtol=1e-6)
    np.testing.assert_allclose(terms.classification, CLASS, rtol=1e-6)


def test_hinge_by_hand():
    loss = AdversarialLoss(source="hinge")
    source = tf.constant([0.25, -3.0])
    np.testing.assert_allclose(loss.discriminator_real(source, None, LABELS).total, [0.75, 4.0])
    np.testing.assert_allclose(loss.discriminator_fake(source, None, LABELS).total, [1.25, 0.0])
    np.testing.assert_allclose(loss.generator(source, None, LABELS).total, [-0.25, 3.0])


@pytest.mark.parametrize(("form", "learns"), [("split", False), ("ac_gan", True)])
def test_class_head_learns_from_fakes_only_under_equation_8(form, learns):
    with tf.GradientTape() as tape:
        tape.watch(CLASSES)
        total = tf.reduce_sum(
            AdversarialLoss(form).discriminator_fake(SOURCE, CLASSES, LABELS).total
        )
    gradient = tape.gradient(total, CLASSES)
    assert (gradient is not None and float(tf.norm(gradient)) > 0.1) is learns


def test_no_class_head():
    terms = AdversarialLoss().discriminator_real(SOURCE, None, LABELS)
    np.testing.assert_allclose(terms.total, REAL, rtol=1e-6)
    np.testing.assert_array_equal(terms.classification, [0.0, 0.0])


def test_large_logits_stay_finite():
    terms = AdversarialLoss().discriminator_real(tf.constant([-1e4, 1e4]), 1e4 * CLASSES, LABELS)
    assert np.isfinite(terms.total).all()


@pytest.mark.parametrize("field", ["form", "weights", "source"])
def test_unknown_choice(field):
    with pytest.raises(ValueError, match=f"loss {field} 'nope' does not exist; choose one of"):
        AdversarialLoss(**{field: "nope"})


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_smoothed_class_loss_is_that_of_keras(smoothing):
    logits = tf.random.stateless_normal([6, 10], [1, 2]) * 3.0
    labels = tf.constant([0, 3, 9, 9, 1, 4])
    expected = keras.losses.categorical_crossentropy(
        tf.one_hot(labels, 10), logits, from_logits=True, label_smoothing=smoothing
    )
    found = smoothed_class_loss(logits, labels, tf.fill([6], smoothing))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
