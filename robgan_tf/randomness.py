"""Random numbers that are a pure function of (seed, purpose, counters).

No random number in this package comes from a generator with hidden state: each
draw uses a `tf.random.stateless_*` function with a seed from `derive_seed`. A run
that is resumed at step k therefore sees what the uninterrupted run saw from
step k on, and adding a draw for one purpose never changes the draws of another.
"""

import enum

import tensorflow as tf

# Named, because "auto_select" may choose another algorithm on another device.
_ALGORITHM = "philox"


class Purpose(enum.IntEnum):
    """What a random number is for. Stored runs depend on the values: never renumber."""

    DATA_ORDER = 1
    DEQUANTIZATION = 2
    AUGMENTATION = 3
    LATENTS = 4
    LABELS = 5
    RANDOM_START = 6
    SAMPLE_SHEET = 7
    ATTACK_SHEET = 8
    EVALUATION_ATTACK = 9
    MEASURED_LATENTS = 10


PURPOSES = tuple(Purpose)


def derive_seed(
    seed: int | tf.Tensor, purpose: Purpose | int, *counters: int | tf.Tensor
) -> tf.Tensor:
    """Derives the seed of one random draw.

    Works eagerly and inside a `tf.function` or `tf.data` graph. The chain is folded
    with 64-bit words and reduced to 32 bits only at its end, so that long runs do not
    meet the same seed twice by chance.

    Args:
      seed: the run's seed, an integer or a scalar integer tensor.
      purpose: a `Purpose`.
      *counters: integers or scalar integer tensors, such as step and position. Their
        order matters, and (seed, purpose, 1) differs from (seed, purpose, 1, 0).

    Returns:
      An int32 tensor `[2]`, for the `seed` argument of `tf.random.stateless_*`.

    Raises:
      ValueError: `purpose` is not the value of a `Purpose`, or a Python integer does
        not fit into 64 bits.
    """
    words = tf.stack([_word(seed), _word(Purpose(purpose))])
    for counter in counters:
        words = tf.random.experimental.stateless_fold_in(words, _word(counter), alg=_ALGORITHM)
    return tf.random.stateless_uniform(
        [2], words, minval=None, maxval=None, dtype=tf.int32, alg=_ALGORITHM
    )


def _word(value: int | tf.Tensor) -> tf.Tensor:
    if tf.is_tensor(value):
        return tf.cast(value, tf.int64)
    return tf.constant(int(value), tf.int64)
