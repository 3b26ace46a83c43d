"""Tests of the division into train, validation and test images."""

import numpy as np

from robgan_tf.data import load_image_data
from tests.data.helpers import user_error


def load(**changes):
    settings = {"resolution": 8, "channels": 1, "num_classes": 10} | changes
    return load_image_data("digits", **settings)


def contents(source):
    images = source.fetch(np.arange(len(source)))
    return [image.tobytes() for image in images]


def test_validation_is_held_out_and_balanced():
    data = load(validation_examples=105)
    whole = contents(load().train)
    assert len(set(whole)) == len(whole)  # all digits differ, so bytes identify them
    train, validation = contents(data.train), contents(data.validation)
    assert sorted(train + validation) == sorted(whole)
    counts = np.bincount(data.validation.labels, minlength=10)
    assert sorted(counts) == [10] * 5 + [11] * 5
    places = [whole.index(image) for image in validation]
    assert places == sorted(places)  # in stored order


def test_validation_depends_on_the_split_seed_only():
    base = contents(load(validation_examples=50).validation)
    assert contents(load(validation_examples=50, train_examples=100).validation) == base
    assert contents(load(validation_examples=50, augmentation="flip").validation) == base
    assert contents(load(validation_examples=50, split_seed=1).validation) != base


def test_train_examples():
    data = load(validation_examples=50, train_examples=100)
    train = contents(data.train)
    assert np.bincount(data.train.labels).tolist() == [10] * 10
    assert not set(train) & set(contents(data.validation))
    assert set(train) < set(contents(load(validation_examples=50).train))
    assert contents(load(validation_examples=50, train_examples=100).train) == train


def test_no_validation():
    data = load()
    assert len(data.validation) == 0
    assert data.validation.labels.shape == (0,)


def test_description_is_one_line():
    description = load(validation_examples=50, train_examples=100).description
    assert description == (
        "digits: 100 training, 50 validation and 355 test images of 8x8x1 in 10 classes"
    )


def test_mistakes():
    with user_error("unknown augmentation 'mixup': give one of none, flip, pad_crop_flip, area"):
        load(augmentation="mixup")
    with user_error("train_examples is 1400, but only 1392 .* give at most 1392"):
        load(validation_examples=50, train_examples=1400)
    with user_error("validation_examples is 5, .* give at least 10, one per class, or 0"):
        load(validation_examples=5)


def test_classes_that_a_model_was_trained_on():
    digits = tuple(str(digit) for digit in range(10))
    assert load(class_names=digits).class_names == digits
    others = [
        (digits[:9], r"\(10 here and 9 there\): '9' is new\. Give the data of the run"),
        ((*digits, "ten"), r"\(10 here and 11 there\): 'ten' is missing\."),
        (
            (*digits[:6], "a", "b", "c", "d"),
            r"'6', '7', '8', \.\.\. are new; 'a', 'b', 'c', \.\.\. are",
        ),
        (digits[::-1], r"\(10 here and 10 there\): their order is another\."),
    ]
    for names, message in others:
        with user_error(r"the data has other classes than the run was trained on .*" + message):
            load(class_names=names)
