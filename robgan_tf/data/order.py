"""The order in which training examples are seen.

Position p of the endless sample stream belongs to epoch p // N and shows example
`permutation(epoch)[p % N]`. The permutation is evaluated point by point and depends on
nothing but (seed, epoch), so there is no shuffle buffer and no state to save.
"""

import tensorflow as tf

from robgan_tf.randomness import Purpose, derive_seed


def sample_positions(step: int | tf.Tensor, updates_per_step: int, batch_size: int) -> tf.Tensor:
    """Positions in the sample stream that one training step uses.

    Args:
      step: integer or scalar integer tensor.
      updates_per_step: updates in a step.
      batch_size: samples in an update.

    Returns:
      int64 tensor `[updates_per_step * batch_size]`, consecutive, update by update.
    """
    per_step = updates_per_step * batch_size
    return tf.cast(step, tf.int64) * per_step + tf.range(per_step, dtype=tf.int64)


def example_indices(positions: tf.Tensor, length: int, seed: int) -> tf.Tensor:
    """Which examples the sample stream shows at consecutive positions.

    Args:
      positions: int64 tensor `[n]` of consecutive positions, n known statically.
      length: number of examples N, at least 1.
      seed: the run's seed.

    Returns:
      int64 tensor `[n]` with values in [0, N). Over the positions of one epoch every
      example occurs exactly once.
    """
    first_epoch = positions[0] // length
    # n consecutive positions that start anywhere touch at most this many epochs.
    epochs = (positions.shape[0] - 1) // length + 2
    epoch_seeds = tf.map_fn(
        lambda epoch: derive_seed(seed, Purpose.DATA_ORDER, epoch),
        first_epoch + tf.range(epochs, dtype=tf.int64),
        fn_output_signature=tf.TensorSpec([2], tf.int32),
    )
    seeds = tf.gather(epoch_seeds, positions // length - first_epoch)
    # tf.random.experimental.index_shuffle is this op with one seed for all positions; its
    # Python side pads a batch of seeds along the wrong axis (TensorFlow 2.21).
    return tf.raw_ops.RandomIndexShuffle(
        index=positions % length,
        seed=tf.pad(seeds, [[0, 0], [1, 0]], constant_values=498247692),
        max_index=tf.constant(length - 1, tf.int64),
        rounds=4,
    )
