"""Tests of the training and evaluation batches."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.config.groups import DATASET_AUGMENTATIONS
from robgan_tf.data import (
    evaluation_batches,
    scale_images,
    training_batches,
)
from robgan_tf.data.augmentation import area_boxes, random_flip, two_seeds
from robgan_tf.data.order import example_indices, sample_positions
from robgan_tf.data.sources import InMemorySource
from robgan_tf.randomness import Purpose, derive_seed
from tests.data.helpers import numbered_source, random_pixels


def random_source(count=10, storage=9):
    return InMemorySource(random_pixels(count, storage, storage, 3), np.arange(count), ["a"], 8)


def take(dataset, count):
    return [{key: value.numpy() for key, value in step.items()} for step in dataset.take(count)]


def test_scale_images():
    scaled = scale_images(tf.constant([0, 51, 255], tf.uint8))
    assert scaled.dtype == tf.float32
    np.testing.assert_allclose(scaled, [-1, -0.6, 1], atol=1e-7)


@pytest.mark.parametrize("augmentation", DATASET_AUGMENTATIONS)
def test_shapes_are_static_and_start_step_continues_exactly(augmentation):
    settings = {"batch_size": 4, "updates_per_step": 3, "seed": 1, "augmentation": augmentation}
    dataset = training_batches(random_source(), **settings)
    assert dataset.element_spec == {
        "images": tf.TensorSpec([3, 4, 8, 8, 3], tf.float32),
        "labels": tf.TensorSpec([3, 4], tf.int32),
    }
    whole = take(dataset, 5)
    for step in whole:
        assert step["images"].min() >= -1 and step["images"].max() <= 1
        assert step["images"].std() > 0.3
    rest = take(training_batches(random_source(), start_step=2, **settings), 3)
    for expected, step in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(step["images"], expected["images"])
        np.testing.assert_array_equal(step["labels"], expected["labels"])
    assert np.any(whole[0]["images"] != whole[1]["images"])


def test_seed_changes_order_noise_and_augmentation():
    settings = {"batch_size": 8, "updates_per_step": 1, "augmentation": "pad_crop_flip"}
    one, other = (
        take(training_batches(random_source(), seed=seed, **settings), 1)[0] for seed in (0, 1)
    )
    assert np.any(one["labels"] != other["labels"])
    noise = [
        take(training_batches(numbered_source(1), batch_size=8, updates_per_step=1, seed=s), 1)[0]
        for s in (0, 1)
    ]
    assert np.any(noise[0]["images"] != noise[1]["images"])


@pytest.mark.parametrize("count", [1, 3, 12, 50])
def test_stream_shows_each_image_once_an_epoch_with_its_label(count):
    dataset = training_batches(
        numbered_source(count), batch_size=4, updates_per_step=3, seed=1, dequantize=False
    )
    steps = take(dataset, 10)
    images = np.concatenate([step["images"].reshape(12, -1) for step in steps])
    labels = np.concatenate([step["labels"].reshape(12) for step in steps])
    values = np.round((images[:, 0] + 1) * 127.5).astype(int)
    np.testing.assert_array_equal(labels, values % 3)
    for start in range(0, 120 - count + 1, count):
        np.testing.assert_array_equal(np.sort(values[start : start + count]), np.arange(count))


def test_noise_is_uniform_and_clipped():
    pixels = np.zeros([2, 8, 8, 1], np.uint8)
    pixels[1] = 255
    source = InMemorySource(pixels, [0, 1], ["a", "b"], 8)
    step = take(training_batches(source, batch_size=64, updates_per_step=2, seed=1), 1)[0]
    dark, bright = (step["images"][step["labels"] == label] for label in (0, 1))
    noise = (dark + 1.0) * 128
    assert noise.min() >= 0 and noise.max() < 1.0001
    np.testing.assert_allclose(noise.mean(), 0.5, atol=0.02)
    np.testing.assert_allclose(noise.std(), 12**-0.5, atol=0.02)
    assert np.all(bright == 1)


@pytest.mark.parametrize("augmentation", ["none", "flip", "area_crop_flip"])
def test_images_equal_a_step_by_step_computation(augmentation):
    source, seed, step = random_source(), 6, 3
    dataset = training_batches(
        source,
        batch_size=4,
        updates_per_step=2,
        seed=seed,
        start_step=step,
        augmentation=augmentation,
    )
    indices = example_indices(sample_positions(step, 2, 4), 10, seed).numpy()
    draw = derive_seed(seed, Purpose.AUGMENTATION, step)
    if augmentation == "area_crop_flip":
        box_seed, flip_seed = two_seeds(draw)
        images = source.fetch(indices, area_boxes(box_seed, 8).numpy())
        images = random_flip(tf.constant(images), flip_seed).numpy()
    else:
        images = source.fetch(indices)
        if augmentation == "flip":
            images = random_flip(tf.constant(images), draw).numpy()
    noise_seed = derive_seed(seed, Purpose.DEQUANTIZATION, step)
    noise = tf.random.stateless_uniform([8, 8, 8, 3], noise_seed, 0, 1 / 128, alg="philox").numpy()
    expected = np.clip(images.astype(np.float32) / 127.5 - 1 + noise, -1, 1)
    result = take(dataset, 1)[0]
    np.testing.assert_array_equal(result["labels"].ravel(), indices)
    np.testing.assert_allclose(result["images"].reshape(8, 8, 8, 3), expected, atol=1e-6)


def test_unknown_augmentation():
    with pytest.raises(ValueError, match="mixup"):
        training_batches(
            numbered_source(3), batch_size=2, updates_per_step=1, seed=0, augmentation="mixup"
        )


@pytest.mark.parametrize(("count", "sizes"), [(10, [4, 4, 2]), (8, [4, 4]), (3, [3]), (0, [])])
def test_evaluation_batches_in_stored_order(count, sizes):
    source = numbered_source(10).subset(np.arange(count))
    batches = list(evaluation_batches(source, 4))
    assert [len(images) for images, _ in batches] == sizes
    for start, (images, labels) in zip(range(0, 12, 4), batches, strict=False):
        assert images.dtype == tf.float32 and labels.dtype == tf.int32
        expected = np.arange(start, start + len(labels))
        np.testing.assert_array_equal(labels, expected % 3)
        np.testing.assert_allclose(images[:, 0, 0, 0], expected / 127.5 - 1, atol=1e-6)
