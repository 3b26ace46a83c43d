"""The measured images against latents drawn one by one."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.quality.generated_set import generated_labels, generated_set
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.reporting import to_uint8
from tests.sampling import tiny_generator

COUNT, SEED = 22, 4


def together(batches):
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


@pytest.mark.parametrize("num_classes", [3, 0])
def test_images_are_those_of_their_numbers(num_classes):
    generator = tiny_generator.build(num_classes)
    images, labels = together(generated_set(generator, COUNT, SEED, batch_size=8))
    expected = np.arange(COUNT) % max(num_classes, 1)
    np.random.default_rng(SEED).shuffle(expected)
    np.testing.assert_array_equal(labels, expected)
    latents = tf.stack(
        [
            tf.random.stateless_normal([16], derive_seed(SEED, Purpose.MEASURED_LATENTS, k))
            for k in range(COUNT)
        ]
    )
    shown = to_uint8(generator(latents, expected, training=False).numpy())
    np.testing.assert_allclose(images.astype(int), shown, atol=1)
    assert (images == shown).mean() > 0.999


@pytest.mark.parametrize("truncation", [None, 0.5])
def test_batches_change_nothing_and_the_first_may_be_left_out(truncation, eagerly):
    generator = tiny_generator.build()
    images, labels = together(generated_set(generator, COUNT, SEED, 8, truncation))
    for batch_size, first in ((5, 0), (8, 16)):
        some, some_labels = together(
            generated_set(generator, COUNT, SEED, batch_size, truncation, first)
        )
        np.testing.assert_array_equal(some_labels, labels[first:])
        np.testing.assert_allclose(some.astype(int), images[first:], atol=1)


def test_truncation_and_seed_change_the_images(eagerly):
    generator = tiny_generator.build()
    arguments = [(SEED, 8, None), (SEED, 8, 0.5), (SEED, 8, 0.6), (SEED + 1, 8, None)]
    sets = {together(generated_set(generator, COUNT, *x))[0].tobytes() for x in arguments}
    assert len(sets) == len(arguments)


def test_classes_are_as_even_as_can_be():
    counts = np.bincount(generated_labels(23, 0, 5))
    np.testing.assert_array_equal(np.sort(counts), [4, 4, 5, 5, 5])
    np.testing.assert_array_equal(generated_labels(4, 0, 0), np.zeros(4))
