"""Latents by seed: normal, or truncated at a bound."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from robgan_tf.randomness import Purpose, derive_seed


def normal_latents(seeds: tf.Tensor, size: int, truncation: float | None = None) -> tf.Tensor:
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


def truncated_normal(seeds: tf.Tensor, truncation: tf.Tensor, size: int) -> tf.Tensor:
    """Normal numbers within +-truncation, by inverting the distribution function.

    Args:
      seeds: int64 [N].
      truncation: float32 [N], above 0.
      size: how many numbers a seed.

    Returns:
      float32 [N, size].
    """
    uniform = tf.map_fn(
        lambda seed: tf.random.stateless_uniform([size], tf.stack([seed, seed * 0]), alg="philox"),
        seeds,
        fn_output_signature=tf.TensorSpec([size], tf.float32),
    )
    # In (0, 1), symmetric; the quantile of 0 would be infinite.
    uniform = tf.clip_by_value(uniform, 2.0**-24, 1.0 - 2.0**-24)
    bound = tf.math.erf(truncation / math.sqrt(2.0))[:, None]
    return math.sqrt(2.0) * tf.math.erfinv((2.0 * uniform - 1.0) * tf.minimum(bound, 1.0))


def sheet_latents(
    seed: int,
    rows: Sequence[int] | np.ndarray,
    columns: int,
    size: int,
    truncation: float | None = None,
) -> np.ndarray:
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
