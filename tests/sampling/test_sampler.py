"""Rows of images against the generator called by hand."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.keras_versions import variable_path
from robgan_tf.latents import sheet_latents
from robgan_tf.sampling.interpolation import spherical
from robgan_tf.sampling.sampler import Sampler
from tests.sampling import tiny_generator

GENERATOR = tiny_generator.build()
TOLERANCE = 1e-5


def by_hand(latents, labels):
    return GENERATOR(tf.constant(latents), np.array(labels), training=False).numpy()


def test_a_row_of_the_sheet_is_its_class_for_latents_of_its_own():
    sheet = Sampler(GENERATOR, seed=3).sheet([2, 0], 4)
    assert sheet.shape == (2, 4, 16, 16, 1)
    assert np.abs(sheet).max() <= 1.0
    latents = sheet_latents(3, [2, 0], 4, 16)
    for row, (of_row, label) in enumerate(zip(latents, [2, 0], strict=True)):
        np.testing.assert_allclose(sheet[row], by_hand(of_row, 4 * [label]), atol=TOLERANCE)


def test_shared_latents_are_the_same_in_every_row():
    sheet = Sampler(GENERATOR, seed=3, shared_latents=True).sheet([0, 1, 2], 4)
    latents = sheet_latents(3, [0], 4, 16)[0]
    for label in range(3):
        np.testing.assert_allclose(sheet[label], by_hand(latents, 4 * [label]), atol=TOLERANCE)


@pytest.mark.parametrize("truncation", [None, 0.5])
def test_batches_change_nothing(truncation, eagerly):
    sheets = [
        Sampler(GENERATOR, 3, truncation, batch_size=size).sheet([0, 1, 2], 3)
        for size in (100, 4, 1)
    ]
    for sheet in sheets[1:]:
        np.testing.assert_allclose(sheet, sheets[0], atol=TOLERANCE)
    other = Sampler(GENERATOR, 3, 0.4).sheet([0, 1, 2], 3)
    assert np.abs(other - sheets[0]).max() > 0.01


def test_between_latents_leads_from_the_first_to_the_second_image_of_the_sheet():
    sampler = Sampler(GENERATOR, seed=3)
    sheet, ways = sampler.sheet([1, 2], 2), sampler.between_latents([1, 2], 5)
    np.testing.assert_allclose(ways[:, [0, -1]], sheet, atol=TOLERANCE)
    middle = [spherical(*ends, 3)[1] for ends in sheet_latents(3, [1, 2], 2, 16)]
    np.testing.assert_allclose(ways[:, 2], by_hand(np.stack(middle), [1, 2]), atol=TOLERANCE)


def test_between_classes_leads_from_each_class_to_the_next_for_one_latent():
    ways = Sampler(GENERATOR, seed=3).between_classes([0, 2, 1], 3)
    assert ways.shape == (2, 3, 16, 16, 1)
    latents = sheet_latents(3, [0, 2], 1, 16)[:, 0]
    np.testing.assert_allclose(ways[:, 0], by_hand(latents, [0, 2]), atol=TOLERANCE)
    np.testing.assert_allclose(ways[:, 2], by_hand(latents, [2, 1]), atol=TOLERANCE)
    half = np.array([[0.5, 0, 0.5], [0, 0.5, 0.5]], np.float32)
    np.testing.assert_allclose(ways[:, 1], by_hand(latents, half), atol=TOLERANCE)
    assert np.abs(ways[:, 1] - ways[:, 0]).max() > 0.01


def test_one_hot_weights_are_labels_and_mixtures_are_what_mixed_tables_give():
    latents = sheet_latents(3, [0], 3, 16)[0]
    labels = np.array([2, 0, 1], np.int32)
    one_hot = np.eye(3, dtype=np.float32)[labels]
    np.testing.assert_array_equal(by_hand(latents, labels), by_hand(latents, one_hot))
    # A second generator whose class 0 has the mixed gammas and betas.
    weights = np.array([0.2, 0.5, 0.3], np.float32)
    mixed = tiny_generator.build()
    for variable in mixed.variables:
        if variable_path(variable).endswith(("gamma", "beta")) and len(variable.shape) == 2:
            variable.assign(np.tile(weights @ np.array(variable), [3, 1]))
    expected = mixed(tf.constant(latents), np.zeros(3, np.int32), training=False)
    np.testing.assert_allclose(by_hand(latents, np.tile(weights, [3, 1])), expected, atol=1e-5)


def test_a_generator_without_classes_has_one_row():
    generator = tiny_generator.build(num_classes=0)
    sampler = Sampler(generator, seed=3)
    latents = sheet_latents(3, [0], 2, 16)[0]
    expected = generator(latents, np.zeros(2, np.int32), training=False)
    np.testing.assert_allclose(sampler.sheet([0], 2)[0], expected, atol=TOLERANCE)
    np.testing.assert_allclose(sampler.between_latents([0], 3)[0, [0, 2]], expected, atol=TOLERANCE)
    np.testing.assert_array_equal(
        generator(latents, np.ones([2, 5], np.float32), training=False), expected
    )
