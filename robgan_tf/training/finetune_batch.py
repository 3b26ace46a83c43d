"""A replica's batch of stage 2: real images first, then generated ones."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.training.distribution import local_part
from robgan_tf.training.finetune_objective import FinetuneObjective
from robgan_tf.typing import LabelledImages


@dataclasses.dataclass(frozen=True)
class FinetuneBatch:
    """A replica's batch: real images first, then generated ones.

    Attributes:
      images: [N, H, W, C] in [-1, 1], clean.
      labels: [N].
      seeds: [N, 2] of the start of each image's attack.
      counts: how many of them are real, and generated.
      weights: [N] of the losses in the sum that is minimised.
      smoothing: [N] of the labels.
    """

    images: tf.Tensor
    labels: tf.Tensor
    seeds: tf.Tensor
    counts: list[int]
    weights: tf.Tensor
    smoothing: tf.Tensor


def local_batch(
    parts: Sequence[LabelledImages],
    global_counts: Sequence[int],
    objective: FinetuneObjective,
    *,
    seed: int,
    step: tf.Tensor,
    dtype: str,
) -> FinetuneBatch:
    """Puts a replica's batch together.

    Args:
      parts: this replica's real images and labels, and generated ones if there are any.
      global_counts: how many of each all replicas have together.
      objective: which has the weights and the smoothing.
      seed: the run's seed.
      step: number of the step.
      dtype: that images are to have.
    """
    weights = [1.0 / global_counts[0]]
    weights += [objective.generated_weight / count for count in global_counts[1:]]
    smoothing = [objective.label_smoothing, objective.generated_label_smoothing]
    counts = [part[1].shape[0] for part in parts]
    return FinetuneBatch(
        tf.concat([tf.cast(part[0], dtype) for part in parts], axis=0),
        tf.concat([tf.cast(part[1], tf.int32) for part in parts], axis=0),
        tf.concat(
            [_seeds(seed, step, source, count) for source, count in enumerate(global_counts)],
            axis=0,
        ),
        counts,
        _per_sample(counts, weights, dtype),
        _per_sample(counts, smoothing, dtype),
    )


def _seeds(seed: int, step: tf.Tensor, source: int, count: int) -> tf.Tensor:
    """Seeds of the random start of this replica's real (0) or generated (1) images."""
    of_source = derive_seed(seed, Purpose.RANDOM_START, step, source)
    return local_part(tf.random.split(of_source, count))


def _per_sample(counts: Sequence[int], values: Sequence[float], dtype: str) -> tf.Tensor:
    return tf.concat(
        [
            tf.fill([count], tf.constant(value, dtype))
            for count, value in zip(counts, values, strict=False)
        ],
        axis=0,
    )
