"""Accuracy under attack as one call, against the command's numbers and a model known by hand."""

import json
import pathlib
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import robgan_tf
from robgan_tf import UserError, attacks, choices
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.data import load_image_data

TINY_RUN = pathlib.Path(__file__).parents[1] / "tiny_run"
LABELS = np.array([0, 1, 1, 0])


def by_mean(images):
    """Class 1 where the mean pixel is above 0: an attack of radius r moves it by r, no more."""
    mean = tf.reduce_mean(images, axis=[1, 2, 3])
    return tf.stack([-mean, mean], axis=1)


def images_of_mean(*means):
    return np.stack([np.full([4, 4, 1], mean, np.float32) for mean in means])


IMAGES = images_of_mean(-0.3, 0.05, 0.3, 0.2)


def check(found):
    assert (found.clean, found.robust) == (0.75, 0.5)
    np.testing.assert_array_equal(found.predictions, [0, 1, 1, 1])
    np.testing.assert_array_equal(found.survived, [True, False, True, False])
    np.testing.assert_array_equal(found.fooled_by[[0, 2, 3]], ["", "", "clean"])
    assert found.interval[0] < 0.5 < found.interval[1] < found.clean_interval[1]
    assert np.abs(found.adversarial - IMAGES).max() <= 0.1 + 1e-6


def test_a_function_a_keras_model_and_one_with_two_outputs():
    inputs = keras.Input([4, 4, 1])
    logits = keras.layers.Lambda(by_mean, output_shape=(2,))(inputs)
    model, pair = keras.Model(inputs, logits), keras.Model(inputs, [inputs, logits])
    for subject in (by_mean, model, pair):
        check(robgan_tf.robust_accuracy(subject, IMAGES, LABELS, 0.1))


@pytest.mark.parametrize("protocol", ["published", "fgsm", "square"])
def test_protocols_by_name(protocol):
    check(robgan_tf.robust_accuracy(by_mean, IMAGES, LABELS, 0.1, protocol=protocol))


def test_images_that_seem_to_be_on_0_to_1_are_warned_of(eagerly):
    images = images_of_mean(0.1, 0.6, 0.7, 0.9)
    with pytest.warns(UserWarning, match="no pixel of these images is negative: are they on"):
        robgan_tf.robust_accuracy(by_mean, images, LABELS, "8/255", protocol="fgsm")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        robgan_tf.robust_accuracy(by_mean, IMAGES, LABELS, "8/255", protocol="fgsm")


def test_radii_are_on_minus_1_to_1_or_in_255ths(eagerly):
    exact = {"epsilon": 0.0627450980392157}
    for epsilon, expected in [
        ("8/255", exact),
        (0.1, {"epsilon": 0.1}),
        ("0.04", {"robust": 0.75}),
    ]:
        found = robgan_tf.robust_accuracy(by_mean, IMAGES, LABELS, epsilon, protocol="fgsm")
        for name, value in expected.items():
            assert getattr(found, name) == pytest.approx(value)
    # In L2, 16 pixels of 0.1 each are 0.4 long.
    for epsilon, robust in ((0.19, 0.75), (0.21, 0.5)):
        found = robgan_tf.robust_accuracy(by_mean, IMAGES, LABELS, epsilon, "l2", "fgsm")
        assert found.robust == robust
    text = str(robgan_tf.robust_accuracy(by_mean, IMAGES, LABELS, "8/255"))
    assert text.startswith("75.0% clean, 50.0% (")
    assert text.endswith("of 4 images under 'published' of radius 0.0627451 (8/255)")


def test_a_run_as_the_command_measures_it():
    expected = json.loads((TINY_RUN / "expected.json").read_text())["published_protocol"]["joint"]
    run = robgan_tf.load_run(TINY_RUN / "joint")
    test = load_image_data(**run.config.data.loading(None)).test
    pixels = test.fetch(np.arange(100))
    found = robgan_tf.robust_accuracy(run, pixels, test.labels[:100], 0.02)
    accuracies = [row["accuracy"] for row in expected["radii"]]
    assert [found.clean, found.robust] == pytest.approx(accuracies, abs=0.02)
    assert found.interval == pytest.approx(expected["radii"][1]["interval_95"], abs=0.02)
    network = robgan_tf.robust_accuracy(run.classifier, pixels, test.labels[:100], 0.02)
    np.testing.assert_array_equal(network.fooled_by, found.fooled_by)


def test_what_is_refused():
    def call(subject=by_mean, images=IMAGES, labels=LABELS, epsilon=0.1, **more):
        return lambda: robgan_tf.robust_accuracy(subject, images, labels, epsilon, **more)

    for refused, message in [
        (call(images=IMAGES * 255), r"floats from .* scale them to \[-1, 1\]"),
        (call(labels=LABELS[:3]), "4 images and 3 labels were given"),
        (call(labels=LABELS + 1), "knows 2 classes and the data has 3"),
        (call(epsilon="8/256"), "epsilon: '8/256' is no radius: give"),
        (call(epsilon=0), "epsilon must be above 0"),
        (call(protocol="pgd"), "pgd.* does not exist"),
        (call(norm="l7"), "norm 'l7' does not exist"),
        (call(subject="a model"), "model a model does not exist"),
        (call(subject=7), "the model is a int; a function from images to logits is needed"),
        (call(subject=lambda x: tf.nn.softmax(by_mean(x))), "gives probabilities, not logits"),
        (call(subject=lambda x: tf.round(x[:, 0, 0] * 9.0) - x[:, 1, 1]), "gives one logit"),
        (
            call(subject=lambda x: tf.stop_gradient(by_mean(x))),
            "cannot be differentiated, as",
        ),
    ]:
        with pytest.raises(UserError, match=message) as error:
            refused()
        assert "\n" not in str(error.value)


def test_a_protocol_of_which_a_part_is_replaced_does_not_keep_its_name(monkeypatch, eagerly):
    monkeypatch.setattr(choices, "_registered", {})

    @robgan_tf.register("attacks/protocols", "whole")
    class Whole(EvaluationProtocol):
        """Called so of three classes and more."""

        incomplete = "part of whole"

        def attacks(self, epsilon, norm, num_classes):
            return [attacks.fgsm(epsilon, norm)]

        def replaced(self, num_classes):
            return ("of two classes fgsm stands in for all",) if num_classes < 3 else ()

    with pytest.warns(UserWarning, match="of two classes fgsm stands in for all"):
        found = robgan_tf.robust_accuracy(by_mean, IMAGES, LABELS, 0.1, protocol="whole")
    assert found.protocol == "part of whole"
    found = robgan_tf.robust_accuracy(
        lambda x: tf.pad(by_mean(x), [[0, 0], [0, 1]], constant_values=-9.0),
        *(IMAGES, LABELS, 0.1),
        protocol="whole",
    )
    assert found.protocol == "whole"


def test_what_gives_no_gradient_can_be_searched():
    found = robgan_tf.robust_accuracy(
        lambda x: tf.stop_gradient(by_mean(x)), IMAGES, LABELS, 0.1, protocol="square"
    )
    check(found)


def test_every_attack_is_exported_and_is_a_function_of_images():
    seeds = np.arange(8).reshape(4, 2).astype(np.int32)
    for attack in (
        attacks.PGDSearch(0.1, 5, 0.05),
        attacks.AutoPGD(0.1, 10),
        attacks.SquareSearch(0.1, 50),
        attacks.fgsm(0.1),
    ):
        found = attack(by_mean, tf.constant(IMAGES), tf.constant(LABELS), seeds)
        assert by_mean(found).numpy()[1].argmax() == 0
        assert np.abs(found - IMAGES).max() <= 0.1 + 1e-6
    descent = attacks.ProjectedGradientDescent(0.1, 3, 0.05)
    moved = descent(lambda x: by_mean(x)[:, 1], tf.constant(IMAGES))
    np.testing.assert_allclose(moved, IMAGES + 0.1, atol=1e-6)
