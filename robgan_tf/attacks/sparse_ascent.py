"""Steps that change only the values with the largest gradient."""

import tensorflow as tf

from robgan_tf.attacks.ball import flat, per_sample


def signs_of_largest(gradient: tf.Tensor, values: int | tf.Tensor) -> tf.Tensor:
    """Returns a step of L1 norm 1 that moves those values whose gradient is largest, all alike.

    Among steps that move so many values by the same, none climbs more.

    Args:
      gradient: [N, ...].
      values: how many are moved, at least 1: one number or int32 [N]. Those that tie with the
        last one are moved too, and none whose gradient is 0.

    Returns:
      [N, ...], zero where the whole gradient is.
    """
    sizes = tf.abs(flat(gradient))
    if isinstance(values, int):
        smallest = tf.math.top_k(sizes, values).values[:, -1]
    else:
        falling = tf.sort(sizes, axis=1, direction="DESCENDING")
        smallest = tf.gather(falling, values - 1, axis=1, batch_dims=1)
    signs = tf.where(tf.abs(gradient) >= per_sample(smallest, gradient), tf.sign(gradient), 0.0)
    moved = tf.math.count_nonzero(flat(signs), axis=1, dtype=gradient.dtype)
    return signs / per_sample(tf.maximum(moved, 1.0), signs)
