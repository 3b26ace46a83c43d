"""A classifier that is given its pixels in the wrong range, found out on a hundred images."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import robgan_tf
from robgan_tf.robustness.input_range import range_warning
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.robustness.subject_files import open_classifier
from robgan_tf.robustness.subjects import Classifier

RANDOM = np.random.default_rng(0)
LABELS = np.arange(300) % 4
# Classes of brightness.
CENTRES = np.array([-0.75, -0.25, 0.25, 0.75]).reshape(4, 1, 1, 1) * np.ones([4, 4, 4, 3])
IMAGES = CENTRES[LABELS] + RANDOM.uniform(-0.2, 0.2, [300, 4, 4, 3])
IMAGES = IMAGES.astype(np.float32)
OURS, UNIT, BYTES = InputRange(), InputRange(0.0, 1.0), InputRange(0.0, 255.0)
IMAGENET = InputRange(0.0, 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def trained_on(expected):
    """Logits of pixels in a range: minus the distance from the centre of each class there."""
    centres = expected(tf.constant(CENTRES, tf.float32))

    def logits(pixels):
        return -tf.reduce_sum(tf.square(pixels[:, None] - centres[None]), axis=[2, 3, 4])

    return logits


def warned(expected, given=OURS, images=IMAGES, labels=LABELS):
    logits = trained_on(expected)
    classifier = Classifier("it", lambda x: logits(given(x)), "test", input_range=given)
    return range_warning(classifier, images, labels, 4)


@pytest.mark.parametrize("expected", [OURS, UNIT, BYTES, IMAGENET])
def test_the_range_that_it_was_trained_on_is_named(expected):
    for given in (OURS, UNIT, BYTES, IMAGENET):
        line = warned(expected, given)
        if given == expected:
            assert line is None
        else:
            assert f"of 100 images correctly with pixels in {given} and " in line
            assert f" with pixels in {expected}, which is likely" in line
            assert f"({expected.flags})" in line


def test_a_model_that_refuses_other_ranges_is_not_warned_of():
    logits = trained_on(OURS)

    def strict(images):
        tf.debugging.assert_less_equal(images, 1.0, "images must be in [-1, 1]")
        return logits(images)

    assert range_warning(Classifier("it", strict, "test"), IMAGES, LABELS, 4) is None


def test_how_a_range_is_written():
    assert str(UNIT) == "[0, 1]"
    assert UNIT.flags == "--input_range=0,1"
    assert str(IMAGENET) == (
        "[0, 1] less the mean 0.485,0.456,0.406, over the deviation 0.229,0.224,0.225"
    )
    assert IMAGENET.flags == (
        "--input_range=0,1 --input_mean=0.485,0.456,0.406 --input_deviation=0.229,0.224,0.225"
    )


@pytest.mark.parametrize("given", [OURS, UNIT, BYTES, IMAGENET])
def test_a_range_is_undone(given):
    np.testing.assert_allclose(given.undo(given(tf.constant(IMAGES))), IMAGES, atol=1e-6)


def test_near_chance_in_every_range():
    line = warned(OURS, labels=np.roll(LABELS, 1))
    assert "0.0% of 100 images correctly" in line
    assert "chance is 25.0%, and no common range of pixels is clearly better" in line


def test_few_images_say_nothing():
    assert warned(UNIT, images=IMAGES[:29], labels=LABELS[:29]) is None


def test_images_in_the_order_of_their_classes_are_tried_evenly():
    order = np.argsort(LABELS, kind="stable")
    assert warned(OURS, images=IMAGES[order], labels=LABELS[order]) is None
    assert "[0, 255], which is likely" in warned(BYTES, images=IMAGES[order], labels=LABELS[order])


def test_classes_that_take_turns_are_all_tried():
    # Every second image is of the classes 0 and 2 only, which this one takes for each other.
    logits = trained_on(OURS)
    half_right = Classifier("it", lambda x: tf.gather(logits(x), [2, 1, 0, 3], axis=1), "test")
    assert range_warning(half_right, IMAGES[:199], LABELS[:199], 4) is None


def test_one_answer_to_all_is_told_where_most_images_are_of_its_class():
    rows = np.concatenate([np.flatnonzero(LABELS == 2), np.flatnonzero(LABELS != 2)[:10]])
    always = Classifier("it", lambda x: tf.one_hot(tf.fill([len(x)], 2), 4), "test")
    line = range_warning(always, IMAGES[rows], LABELS[rows], 4)
    assert "88.2% of 85 images correctly" in line and "none but images of class 2" in line


def test_a_model_file_knows_its_range(tmp_path):
    inputs = keras.Input([4, 4, 3])
    outputs = keras.layers.Dense(4)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    assert open_classifier(tmp_path / "model.keras", UNIT).input_range == UNIT


def test_as_one_call():
    with pytest.warns(UserWarning, match=r"with pixels in \[0, 1\], which is likely"):
        robgan_tf.robust_accuracy(trained_on(UNIT), IMAGES, LABELS, 0.1, protocol="fgsm")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        robgan_tf.robust_accuracy(trained_on(OURS), IMAGES, LABELS, 0.1, protocol="fgsm")
