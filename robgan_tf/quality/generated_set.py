"""The images of a generator that are measured: reproducible, class-balanced, quantised."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from robgan_tf.latents import normal_latents
from robgan_tf.models.players import Generator
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.reporting.images import to_uint8


def generated_labels(count: int, seed: int, num_classes: int) -> np.ndarray:
    """Classes of the images of a `generated_set`, as even as the count allows, in random order.

    Args:
      count: how many images.
      seed: of the order.
      num_classes: of the generator; all labels are 0 where it has no classes.

    Returns:
      int32 array [count].
    """
    labels = np.arange(count, dtype=np.int32) % max(num_classes, 1)
    np.random.default_rng(seed).shuffle(labels)
    return labels


def generated_set(
    generator: Generator,
    count: int,
    seed: int,
    batch_size: int = 100,
    truncation: float | None = None,
    first: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the images of a `GeneratedSet` that is used once; see there.

    Args:
      generator: a built `models.Generator`.
      count: how many images.
      seed: of latents and of the order of classes.
      batch_size: images at a time.
      truncation: bound of the latents, above 0, or None.
      first: number of the first image wanted; those before it are not made.
    """
    yield from GeneratedSet(generator, truncation)(count, seed, batch_size, first)


class GeneratedSet:
    """Makes images of a generator in inference mode, as saved PNGs would hold them.

    An image is a function of the seed, the truncation, its number and how many there are, on which
    its class depends (`generated_labels`), so batches change nothing but rounding. Compiled once
    for all calls.

    Args:
      generator: a built `models.Generator`.
      truncation: bound of the latents, above 0; None, as in measurements, for none.
    """

    def __init__(self, generator: Generator, truncation: float | None = None) -> None:
        self._generator = generator
        self._truncation = truncation
        self._compiled = tf.function(self._images, autograph=False, reduce_retracing=True)

    def __call__(
        self, count: int, seed: int, batch_size: int = 100, first: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Makes images.

        Args:
          count: how many images.
          seed: of latents and of the order of classes.
          batch_size: images at a time.
          first: number of the first image wanted; those before it are not made.

        Yields:
          (uint8 images [n, H, W, C], labels int32 [n]).
        """
        labels = generated_labels(count, seed, self._generator.num_classes)
        starts = range(first, count, batch_size)
        batches = self.floats(labels, seed, batch_size, first)
        for start, images in zip(starts, batches, strict=True):
            yield to_uint8(images), labels[start : start + batch_size]

    def floats(
        self, labels: np.ndarray, seed: int, batch_size: int = 100, first: int = 0
    ) -> Iterator[np.ndarray]:
        """Makes the images of given labels, unrounded.

        Args:
          labels: int32 [N], the class of every image.
          seed: of the latents.
          batch_size: images at a time.
          first: number of the first image wanted.

        Yields:
          float32 [n, H, W, C] in [-1, 1].
        """
        for start in range(first, len(labels), batch_size):
            part = tf.constant(labels[start : start + batch_size])
            yield self._compiled(seed, tf.constant(start), part).numpy()

    def _images(self, seed: tf.Tensor, first: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        seeds = tf.map_fn(
            lambda number: derive_seed(seed, Purpose.MEASURED_LATENTS, number),
            first + tf.range(tf.shape(labels)[0]),
            fn_output_signature=tf.TensorSpec([2], tf.int32),
        )
        latents = normal_latents(seeds, self._generator.latent_size, self._truncation)
        return self._generator(latents, labels, training=False)
