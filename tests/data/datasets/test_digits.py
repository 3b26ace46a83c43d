"""Tests of the digits dataset."""

import numpy as np
from PIL import Image
from sklearn import datasets

from robgan_tf.data import load_image_data
from tests.data.helpers import user_error


def load(**changes):
    settings = {"resolution": 8, "channels": 1, "num_classes": 10} | changes
    return load_image_data("digits", **settings)


def test_pixels_equal_scikit_learn():
    digits = datasets.load_digits()
    data = load()
    train, test = (source.fetch(np.arange(len(source))) for source in (data.train, data.test))
    assert data.class_names == tuple("0123456789")
    seen = np.concatenate([train, test])[..., 0].reshape(1797, 64)
    expected = np.round(digits.images * 255 / 16).astype(np.uint8).reshape(1797, 64)
    labels = np.concatenate([data.train.labels, data.test.labels])
    # Every digit occurs once, with its label.
    assert sorted(map(tuple, np.column_stack([seen, labels]))) == sorted(
        map(tuple, np.column_stack([expected, digits.target]))
    )
    assert seen.max() == 255


def test_test_split_is_a_fixed_stratified_fifth():
    first, second = load(split_seed=0), load(split_seed=5, validation_examples=50)
    counts = np.bincount(datasets.load_digits().target)
    np.testing.assert_array_equal(np.bincount(first.test.labels), counts // 5)
    indices = np.arange(len(first.test))
    np.testing.assert_array_equal(first.test.fetch(indices), second.test.fetch(indices))


def test_resolution_and_crop_storage():
    data = load(resolution=32, augmentation="area_crop_flip", validation_examples=20)
    plain = load(resolution=32, validation_examples=20)
    assert data.train.fetch([0], [[0, 0, 0.9, 0.9]]).shape == (1, 32, 32, 1)
    indices = np.arange(20)
    np.testing.assert_array_equal(data.validation.fetch(indices), plain.validation.fetch(indices))
    np.testing.assert_array_equal(data.train.labels, plain.train.labels)
    small = Image.fromarray(load().test.fetch([3])[0, ..., 0])
    large = small.resize((32, 32), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(plain.test.fetch([3])[0, ..., 0], np.asarray(large))


def test_mistakes():
    with user_error("digits has 1 channel, but data.channels is 3: set it to 1"):
        load(channels=3)
    with user_error("digits has 10 classes, but data.num_classes is 4: set data.num_classes to 10"):
        load(num_classes=4)
