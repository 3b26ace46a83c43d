"""Batches within a graph that samples leave when they are done, and where samples start."""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

from robgan_tf.attacks.ball import clip_to_box, per_sample
from robgan_tf.attacks.norm import Norm

_SMALLEST_NORM = 1e-12

_Samples = TypeVar("_Samples", bound=tuple[Any, ...])


def put(images: tf.Tensor, numbers: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns images [N, ...] with values [M, ...] in the places `numbers`, integers [M]."""
    return tf.tensor_scatter_nd_update(images, numbers[:, None], values)


def keep_where(condition: tf.Tensor, samples: Any) -> Any:
    """Returns a structure of tensors [N, ...] with the samples alone where bool [N] holds."""
    # Where it holds is looked up once: a mask for each tensor would be twenty operations each.
    kept = tf.where(condition)[:, 0]
    return tf.nest.map_structure(lambda values: tf.gather(values, kept), samples)


def choose(condition: tf.Tensor, chosen: _Samples, otherwise: _Samples) -> _Samples:
    """Returns for each sample, where bool [N] says so, the one of two like structures."""
    return tf.nest.map_structure(
        lambda one, other: tf.where(per_sample(condition, one), one, other), chosen, otherwise
    )


def shapes_of_any_batch(samples: Any) -> Any:
    """Returns the shapes of a structure of tensors [N, ...], with N unknown."""
    return tf.nest.map_structure(
        lambda values: tf.TensorShape([None]).concatenate(values.shape[1:]), samples
    )


def draw(
    of_one: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    images: tf.Tensor,
    seeds: tf.Tensor,
    round_number: int | tf.Tensor,
) -> tf.Tensor:
    """Returns random tensors like images, [N, ...], that do not depend on the batch they are in.

    Args:
      of_one: makes one of its shape and a seed, int [2].
      images: [N, ...].
      seeds: integers [N, 2], one seed a sample.
      round_number: another number gives others; an integer or a scalar tensor.
    """
    shape = tf.shape(images)[1:]
    signature = tf.TensorSpec(images.shape[1:], images.dtype)

    def of_seed(seed: tf.Tensor) -> tf.Tensor:
        return of_one(shape, tf.random.experimental.stateless_fold_in(seed, round_number))

    return tf.map_fn(of_seed, tf.convert_to_tensor(seeds), fn_output_signature=signature)


def start_at_distance(
    norm: Norm,
    images: tf.Tensor,
    radius: float | tf.Tensor,
    seeds: tf.Tensor,
    round_number: int | tf.Tensor,
) -> tf.Tensor:
    """Returns random points on the edge of a ball around each image, clipped to [-1, 1].

    Args:
      norm: of the ball.
      images: [N, ...] in [-1, 1].
      radius: of the ball, on [-1, 1].
      seeds: integers [N, 2], one seed a sample.
      round_number: another number gives other points; an integer or a scalar tensor.
    """

    def of_one(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return norm.random(shape, 1.0, seed, images.dtype)

    noise = draw(of_one, images, seeds, round_number)
    length = tf.maximum(norm.norm(noise), _SMALLEST_NORM)
    return clip_to_box(images + radius * noise / per_sample(length, noise))
