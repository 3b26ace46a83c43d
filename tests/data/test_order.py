"""Tests of the order of examples."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.data.order import example_indices, sample_positions


def indices(start, count, length, seed=0):
    return example_indices(tf.range(start, start + count, dtype=tf.int64), length, seed).numpy()


@pytest.mark.parametrize("length", [1, 2, 3, 7, 64, 1000])
def test_every_epoch_is_a_permutation(length):
    for epoch in indices(0, 3 * length, length).reshape(3, length):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(length))


def test_epochs_and_seeds_differ():
    first, second = indices(0, 200, 100).reshape(2, 100)
    assert np.any(first != second)
    assert np.any(first != indices(0, 100, 100, seed=1))
    assert np.any(first != np.arange(100))


def test_any_window_of_the_stream_is_the_same_stream():
    whole = indices(0, 60, 7)
    for start, count in [(0, 1), (5, 4), (6, 2), (13, 40), (59, 1)]:
        np.testing.assert_array_equal(indices(start, count, 7), whole[start : start + count])


def test_shuffle_has_no_favourite_places():
    """Each example comes first about equally often."""
    firsts = tf.function(lambda: example_indices(tf.range(1600, dtype=tf.int64), 4, 0)[::4])()
    counts = np.bincount(firsts, minlength=4)
    assert counts.min() > 60  # expected 100, standard deviation 8.7


def test_positions_are_consecutive_over_steps():
    steps = [sample_positions(step, 3, 4).numpy() for step in range(2)]
    np.testing.assert_array_equal(np.concatenate(steps), np.arange(24))
    assert sample_positions(2**31, 3, 4).numpy()[0] == 2**31 * 12
