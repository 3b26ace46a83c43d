"""Random numbers that are a pure function of (seed, purpose, counters).

No random number in this package comes from a generator with hidden state: each
draw uses a `tf.random.stateless_*` function with a seed from `derive_seed`. A run
that is resumed at step k therefore sees what the uninterrupted run saw from
step k on, and adding a draw for one purpose never changes the draws of another.
"""

import enum
import functools

import tensorflow as tf

# Named, because another device might choose another algorithm.
_PHILOX = tf.random.Algorithm.PHILOX.value
# With which TensorFlow makes key and counter of a seed.
_SCRAMBLING_KEY = 0x02461E293EC8F720


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
    purpose = Purpose(purpose)
    words = tf.stack([_word(seed), _word(purpose)])
    for number, counter in enumerate(counters):
        if number == 0 and not tf.is_tensor(seed):
            # A constant: a graph need not draw it again each time.
            drawn = tf.constant(_first_word(int(seed), purpose), tf.int64)
        else:
            drawn = _draw(words, [], tf.int64)
        words = tf.stack([drawn, _word(counter)])
    return _draw(words, [2], tf.int32)


@functools.cache
def _first_word(seed: int, purpose: Purpose) -> int:
    with tf.init_scope():
        return int(_draw(tf.stack([_word(seed), _word(purpose)]), [], tf.int64))


def _draw(words: tf.Tensor, shape: list[int], dtype: tf.DType) -> tf.Tensor:
    """The integers that `tf.random.stateless_uniform` draws with alg="philox".

    That function writes out in thirty operations how key and counter come of a seed, and each
    operation of a graph takes its millisecond to compile. TensorFlow's one operation for it is
    another one under XLA, where it drops half of a 64-bit word.
    """
    pairs = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[2, 2],
        key=tf.constant([_SCRAMBLING_KEY], tf.uint64),
        counter=tf.cast(words, tf.uint64),
        alg=_PHILOX,
        dtype=tf.uint32,
    )
    key, second = tf.split(tf.bitcast(pairs, tf.uint64), 2)
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape,
        key=key,
        counter=tf.concat([tf.constant([0], tf.uint64), second], axis=0),
        alg=_PHILOX,
        dtype=dtype,
    )


def _word(value: int | tf.Tensor) -> tf.Tensor:
    if tf.is_tensor(value):
        return tf.cast(value, tf.int64)
    return tf.constant(int(value), tf.int64)
