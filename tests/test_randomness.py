"""Tests of derive_seed."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.randomness import PURPOSES, Purpose, derive_seed


def test_purpose_values_are_fixed():
    assert {purpose.name: int(purpose) for purpose in PURPOSES} == {
        "DATA_ORDER": 1,
        "DEQUANTIZATION": 2,
        "AUGMENTATION": 3,
        "LATENTS": 4,
        "LABELS": 5,
        "RANDOM_START": 6,
        "SAMPLE_SHEET": 7,
        "ATTACK_SHEET": 8,
        "EVALUATION_ATTACK": 9,
        "MEASURED_LATENTS": 10,
    }


def test_values_are_fixed():
    """Stored runs depend on these numbers."""
    seed = derive_seed(1, Purpose.LATENTS, 3)
    assert seed.dtype == tf.int32
    np.testing.assert_array_equal(seed, [87836890, -238644084])


def test_eager_graph_and_tensor_counters_agree():
    def derive(step):
        return derive_seed(5, Purpose.LABELS, step, 2)

    eager = derive(9)
    np.testing.assert_array_equal(eager, tf.function(derive)(tf.constant(9)))
    np.testing.assert_array_equal(eager, derive(tf.constant(9, tf.int64)))
    mapped = tf.data.Dataset.range(9, 10).map(derive)
    np.testing.assert_array_equal(eager, next(iter(mapped)))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_numbers_are_those_of_stateless_fold_in(jit_compile):
    @tf.function(jit_compile=jit_compile)
    def both(seed, step, place):
        words = tf.stack([tf.cast(seed, tf.int64), tf.constant(4, tf.int64)])
        for counter in (step, place):
            words = tf.random.experimental.stateless_fold_in(words, counter, alg="philox")
        expected = tf.random.stateless_uniform(
            [2], words, minval=None, maxval=None, dtype=tf.int32, alg="philox"
        )
        return derive_seed(seed, Purpose.LATENTS, step, place), expected

    for seed, step, place in ((0, 1, 0), (-3, 2**40, 7), (2**33 + 1, 5, -2)):
        counters = tf.constant(step, tf.int64), tf.constant(place, tf.int64)
        for given in (seed, tf.constant(seed, tf.int64)):
            np.testing.assert_array_equal(*both(given, *counters))


def test_every_argument_matters():
    counters = [(), (0,), (1,), (2**32,), (0, 0), (0, 1), (1, 0)]
    arguments = itertools.product((0, 1, 2**32, -1), (Purpose.LATENTS, Purpose.LABELS), counters)
    seeds = {tuple(derive_seed(s, p, *c).numpy().tolist()) for s, p, c in arguments}
    assert len(seeds) == 4 * 2 * len(counters)


def test_unknown_purpose():
    with pytest.raises(ValueError, match="99"):
        derive_seed(0, 99, 1)
