"""Latents by seed, with and without truncation, against scipy's distributions."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from robgan_tf.latents import normal_latents, sheet_latents
from robgan_tf.randomness import Purpose, derive_seed


def seeds(count, seed=0):
    return tf.stack([derive_seed(seed, Purpose.MEASURED_LATENTS, k) for k in range(count)])


def test_without_truncation_they_are_standard_normal():
    latents = normal_latents(seeds(40), 128).numpy()
    assert latents.shape == (40, 128)
    assert stats.kstest(latents.ravel(), stats.norm.cdf).pvalue > 0.01


@pytest.mark.parametrize("truncation", [0.1, 0.7, 2.0])
def test_truncated_ones_are_within_the_bound_and_distributed_as_if_redrawn(truncation):
    latents = normal_latents(seeds(40), 128, truncation).numpy()
    assert np.abs(latents).max() <= truncation * (1 + 1e-6)
    distribution = stats.truncnorm(-truncation, truncation)
    assert stats.kstest(latents.ravel(), distribution.cdf).pvalue > 0.01
    assert len(np.unique(latents)) > 0.99 * latents.size


@pytest.mark.parametrize("truncation", [None, 0.7])
def test_a_latent_is_a_function_of_its_own_seed(truncation):
    together = normal_latents(seeds(6), 16, truncation).numpy()
    alone = [normal_latents(seeds(6)[k : k + 1], 16, truncation).numpy()[0] for k in range(6)]
    np.testing.assert_array_equal(together, alone)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_the_latents_of_a_row_depend_on_its_number_alone():
    sheet = sheet_latents(5, [0, 3, 7], 4, 16)
    assert sheet.shape == (3, 4, 16)
    np.testing.assert_array_equal(sheet_latents(5, [7, 3], 2, 16), sheet[[2, 1], :2])
    assert len({latent.tobytes() for latent in sheet.reshape(-1, 16)}) == 12
    assert not np.array_equal(sheet, sheet_latents(6, [0, 3, 7], 4, 16))
