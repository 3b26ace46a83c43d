"""Random numbers for many samples at once, each from its own seed, by position in a sequence."""

import tensorflow as tf


def splitmix(state: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Returns output number `index` of the generator SplitMix64 with this state.

    The generator (Steele, Lea and Flood, OOPSLA 2014) adds a constant per output and mixes the
    sum, so any output can be had without those before it, and all samples' at once.

    Args:
      state: uint64 tensor.
      index: uint64 tensor that broadcasts with it.

    Returns:
      uint64 tensor; overflow wraps around.
    """
    mixed = state + (index + 1) * tf.constant(0x9E3779B97F4A7C15, tf.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ _shifted_right(mixed, shift)) * tf.constant(factor, tf.uint64)
    return mixed ^ _shifted_right(mixed, 31)


def uniform(
    seeds: tf.Tensor, round_number: int | tf.Tensor, query: int | tf.Tensor, lanes: int
) -> tf.Tensor:
    """Random numbers that depend on a sample's seed, the round and the query, nothing else.

    TensorFlow's stateless generators take one seed for a whole batch; one call per sample is
    far slower than the attack. Here each output of the generator that a sample's seed starts is
    the state of a round's, whose outputs are the states of the queries'.

    Args:
      seeds: int32 [N, 2].
      round_number: integer or scalar tensor.
      query: integer or scalar tensor.
      lanes: how many numbers per sample.

    Returns:
      float32 [N, lanes] in [0, 1), multiples of 2^-24.
    """
    words = tf.cast(tf.bitcast(tf.convert_to_tensor(seeds, tf.int32), tf.uint32), tf.uint64)
    state = words[:, :1] * tf.constant(2**32, tf.uint64) + words[:, 1:]
    for index in (round_number, query, tf.range(lanes)):
        state = splitmix(state, tf.cast(index, tf.uint64))
    return tf.cast(_shifted_right(state, 40), tf.float32) * 2.0**-24


def _shifted_right(values: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(values, tf.constant(bits, tf.uint64))
