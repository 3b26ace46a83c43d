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
      accumulation_steps: micro-batches that make an update, of which this is one.
    """

    images: tf.Tensor
    labels: tf.Tensor
    seeds: tf.Tensor
    counts: list[int]
    weights: tf.Tensor
    smoothing: tf.Tensor
    accumulation_steps: int = 1


def local_batch(
    parts: Sequence[LabelledImages],
    global_counts: Sequence[int],
    objective: FinetuneObjective,
    *,
    seed: int,
    step: tf.Tensor,
    dtype: str,
    part: int | tf.Tensor = 0,
    accumulation_steps: int = 1,
) -> FinetuneBatch:
    """Puts a replica's batch, or a micro-batch of it, together.

    Args:
      parts: this replica's real images and labels, and generated ones if there are any; of
        several micro-batches, with an axis of them in front.
      global_counts: how many of each all replicas have together.
      objective: which has the weights and the smoothing.
      seed: the run's seed.
      step: number of the step.
      dtype: that images are to have.
      part: number of the micro-batch.
      accumulation_steps: how many make the batch.
    """
    if accumulation_steps > 1:
        parts = [(images[part], labels[part]) for images, labels in parts]
    weights = [1.0 / global_counts[0]]
    weights += [objective.generated_weight / count for count in global_counts[1:]]
    smoothing = [objective.label_smoothing, objective.generated_label_smoothing]
    counts = [labels.shape[0] for _, labels in parts]
    # Of the start of the attack on real (0) and on generated (1) images.
    seeds = [
        tf.random.split(derive_seed(seed, Purpose.RANDOM_START, step, source), count)
        for source, count in enumerate(global_counts)
    ]
    return FinetuneBatch(
        tf.concat([tf.cast(images, dtype) for images, _ in parts], axis=0),
        tf.concat([tf.cast(labels, tf.int32) for _, labels in parts], axis=0),
        tf.concat([local_part(x, part, accumulation_steps) for x in seeds], axis=0),
        counts,
        _per_sample(counts, weights, dtype),
        _per_sample(counts, smoothing, dtype),
        accumulation_steps,
    )


def _per_sample(counts: Sequence[int], values: Sequence[float], dtype: str) -> tf.Tensor:
    return tf.concat(
        [
            tf.fill([count], tf.constant(value, dtype))
            for count, value in zip(counts, values, strict=False)
        ],
        axis=0,
    )
