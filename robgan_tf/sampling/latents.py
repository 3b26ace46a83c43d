"""Latents by seed: normal, or truncated at a bound."""

import tensorflow as tf

from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.serving.generator_signatures import truncated_normal


def normal_latents(seeds, size, truncation=None):
    """Draws latents, each a function of its own seed whatever else is drawn with it.

    Args:
      seeds: int32 tensor [N, 2], from `derive_seed`.
      size: length Z of a latent.
      truncation: the bound of every component, above 0 (Brock et al., ICLR 2019, section 3.1,
        redraw what is beyond it; here the distribution function is inverted, as exported
        generators do); None for the normal distribution that training draws from.

    Returns:
      float32 [N, Z].
    """
    if truncation is None:
        return tf.map_fn(
            lambda seed: tf.random.stateless_normal([size], seed),
            seeds,
            fn_output_signature=tf.TensorSpec([size], tf.float32),
        )
    seeds = tf.bitcast(seeds, tf.int64)
    return truncated_normal(seeds, tf.fill(tf.shape(seeds), float(truncation)), size)


def sheet_latents(seed, rows, columns, size, truncation=None):
    """The latents of a sheet, each a function of the seed and its place.

    Args:
      seed: an integer from 0.
      rows: [R] integers that tell the rows apart, such as their classes; rows of the same number
        have the same latents.
      columns: how many a row.
      size: length Z of a latent.
      truncation: as in `normal_latents`.

    Returns:
      float32 array [R, columns, Z].
    """
    seeds = [
        derive_seed(seed, Purpose.SAMPLE_SHEET, int(row), column)
        for row in rows
        for column in range(columns)
    ]
    latents = normal_latents(tf.stack(seeds), size, truncation)
    return latents.numpy().reshape(len(rows), columns, size)
