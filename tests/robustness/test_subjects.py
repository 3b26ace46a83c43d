"""Classifiers from files, and what is refused before any attack."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.robustness.subject_check import check_classifier
from robgan_tf.robustness.subject_files import open_classifier
from robgan_tf.robustness.subjects import Classifier, discriminator_classifier

IMAGES = np.random.default_rng(0).uniform(-1, 1, [6, 4, 4, 3]).astype(np.float32)


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input([4, 4, 3]), keras.layers.Flatten(), keras.layers.Dense(5)])


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
def test_files_give_the_same_logits_and_gradients(kind, network, tmp_path):
    path = tmp_path / ("model.keras" if kind == "keras" else "model")
    network.save(path) if kind == "keras" else network.export(path)
    classifier = open_classifier(path, InputRange(0.0, 255.0))
    images = tf.constant(IMAGES)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        expected = network((images + 1.0) * 127.5)
        logits = classifier.logits(images)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(
        tape.gradient(logits, images), tape.gradient(expected, images), rtol=1e-4, atol=1e-2
    )
    assert check_classifier(classifier, IMAGES, 5) == 5


def test_input_range_and_normalization():
    scale = InputRange(0.0, 1.0, mean=(0.5, 0.4, 0.3), deviation=(0.2, 0.2, 0.1))
    expected = ((IMAGES + 1.0) / 2.0 - [0.5, 0.4, 0.3]) / [0.2, 0.2, 0.1]
    np.testing.assert_allclose(scale(tf.constant(IMAGES)), expected, atol=1e-5)
    np.testing.assert_array_equal(InputRange()(tf.constant(IMAGES)), IMAGES)
    with pytest.raises(UserError, match="give the lower value first"):
        InputRange(1.0, 0.0)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (lambda x: tf.nn.softmax(tf.reshape(x, [-1, 48])[:, :5]), "gives probabilities, not log"),
        (lambda x: tf.reshape(x, [-1, 48])[:, :3], "knows 3 classes and the data has 5"),
        (
            lambda x: tf.reshape(x, [-1, 48])[:, :1],
            "of one class no image is ever wrong",
        ),
        (lambda x: x, r"output of shape \(6, 4, 4, 3\) for 6 images"),
        (lambda x: tf.fill([6, 5], float("nan")), "infinite or NaN logits"),
        (lambda x: tf.reshape(x, [-1, 50]), r"does not take images of shape \(4, 4, 3\)"),
    ],
)
def test_refused(logits, message):
    with pytest.raises(UserError, match=message):
        check_classifier(Classifier("model", logits, "test"), IMAGES, 5)


def test_files_that_cannot_be_loaded(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.keras").write_text("nothing")
    for name, message in (
        ("nowhere", "does not exist"),
        ("empty", "cannot be loaded"),
        ("model.keras", "cannot be loaded"),
    ):
        with pytest.raises(UserError, match=message):
            open_classifier(tmp_path / name, InputRange())


MATRIX = np.random.default_rng(1).normal(size=[48, 5]).astype(np.float32)


def linear(images):
    return tf.reshape(images, [-1, 48]) @ MATRIX


@pytest.mark.parametrize(
    ("logits", "when"),
    [
        (lambda x: linear(x - tf.reduce_mean(x, axis=0)), "beside other images"),
        (lambda x: linear(x) / tf.cast(tf.shape(x)[0], tf.float32), "beside other images"),
        (lambda x: linear(x + tf.random.normal(tf.shape(x))), "when it is called again"),
        (lambda x: linear(tf.nn.dropout(x, 0.1)), "when it is called again"),
    ],
)
def test_logits_of_more_than_the_image_are_refused(logits, when):
    with pytest.raises(UserError, match=f"net gives other logits for the same image {when}"):
        check_classifier(Classifier("net", logits, ""), IMAGES, 5)


def test_an_exported_model_in_training_mode_is_refused(tmp_path):
    inputs = keras.Input([4, 4, 3])
    hidden = keras.layers.BatchNormalization()(inputs, training=True)
    logits = keras.layers.Dense(5)(keras.layers.Flatten()(hidden))
    keras.Model(inputs, logits).export(tmp_path / "model")
    classifier = open_classifier(tmp_path / "model", InputRange())
    with pytest.raises(UserError, match="model gives other logits for the same image"):
        check_classifier(classifier, IMAGES, 5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("normalization", ["spectral", "batch", "none"])
def test_rounding_is_not_taken_for_a_dependence(normalization, precision):
    keras.utils.set_random_seed(0)
    model = ResNetDiscriminator(
        16, 3, 5, 8, "2, 2, 2-", normalization=normalization, precision=precision
    )
    images = np.random.default_rng(0).uniform(-1, 1, [16, 16, 16, 3]).astype(np.float32)
    assert check_classifier(discriminator_classifier(model, "d", ""), images, 5) == 5
