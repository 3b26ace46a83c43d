"""Random numbers of many samples: published outputs, uniformity, seeds."""

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.per_sample_random import splitmix, uniform


def test_splitmix_gives_the_published_outputs():
    outputs = splitmix(tf.constant(0, tf.uint64), tf.range(3, dtype=tf.int64).numpy().astype("u8"))
    assert [int(value) for value in outputs] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


def test_numbers_are_uniform_and_unrelated():
    # Neighbouring seeds, rounds, queries and lanes: where a weak mixture would show.
    seeds = np.stack(np.meshgrid([0, 1], np.arange(-20, 20)), axis=-1).reshape(-1, 2)
    numbers = np.stack(
        [[uniform(seeds, turn, query, 40) for query in range(20)] for turn in range(2)]
    )
    assert numbers.min() >= 0.0 and numbers.max() < 1.0
    counts = np.histogram(numbers, 100, (0, 1))[0]
    chi_square = np.sum((counts - numbers.size / 100) ** 2) / (numbers.size / 100)
    assert 50 < chi_square < 160  # 99 degrees of freedom: 99 +- 14.
    centred = numbers - 0.5
    for axis in range(4):
        after, before = np.delete(centred, 0, axis), np.delete(centred, -1, axis)
        assert abs(np.mean(after * before) * 12) < 4.5 / np.sqrt(after.size)


def test_numbers_know_the_whole_seed():
    seeds = np.array([[1, 2], [2, 1], [-1, 2], [1, -2], [1, 2]], np.int32)
    first = uniform(seeds, 0, 0, 8).numpy()
    assert len(np.unique(first, axis=0)) == 4
    np.testing.assert_array_equal(first[0], first[4])
    np.testing.assert_array_equal(first[:, :3], uniform(seeds, 0, 0, 3))
    np.testing.assert_array_equal(first, uniform(seeds, tf.constant(0), tf.constant(0), 8))


# With a radius of 1, an L2 projection written as epsilon / length loses a bit in graphs.
