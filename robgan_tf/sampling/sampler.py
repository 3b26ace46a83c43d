"""Images of one generator by seed and place: what sheets, interpolations and comparisons show."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from robgan_tf.latents import sheet_latents
from robgan_tf.models.players import Generator
from robgan_tf.sampling.interpolation import class_mixtures, spherical


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Samples a generator in inference mode.

    The row of a class has latents of its own, whichever other classes are shown, and a longer row
    begins as a shorter one does. So the first images of an interpolation between latents are those
    of the sheet.

    Attributes:
      generator: a built `models.Generator`.
      seed: an integer from 0.
      truncation: bound of the latents, above 0, or None.
      shared_latents: whether all rows have the same latents, those of class 0.
      batch_size: images at a time; changes nothing but rounding.
    """

    generator: Generator
    seed: int
    truncation: float | None = None
    shared_latents: bool = False
    batch_size: int = 100

    def sheet(self, labels: Sequence[int] | np.ndarray, columns: int) -> np.ndarray:
        """Images of classes.

        Args:
          labels: [R] integers, the class of each row.
          columns: how many images a row.

        Returns:
          float32 array [R, columns, H, W, C] in [-1, 1].
        """
        return self._rows(self._latents(labels, columns), np.tile(_column(labels), columns))

    def between_latents(self, labels: Sequence[int] | np.ndarray, frames: int) -> np.ndarray:
        """Images on the way from the first to the second image of each row of the sheet.

        Args:
          labels: [R] integers, the class of each row.
          frames: images a row, the two ends among them; at least 2.

        Returns:
          float32 array [R, frames, H, W, C] in [-1, 1].
        """
        ends = self._latents(labels, 2)
        latents = np.stack([spherical(first, second, frames) for first, second in ends])
        return self._rows(latents, np.tile(_column(labels), frames))

    def between_classes(self, labels: Sequence[int], frames: int) -> np.ndarray:
        """Images on the way from each class to the next one, for one latent a row.

        Args:
          labels: [R + 1] integers; row r leads from class labels[r] to class labels[r + 1].
          frames: images a row, the two ends among them; at least 2.

        Returns:
          float32 array [R, frames, H, W, C] in [-1, 1].
        """
        count = self.generator.num_classes
        pairs = itertools.pairwise(labels)
        weights = np.stack([class_mixtures(*pair, count, frames) for pair in pairs])
        latents = np.repeat(self._latents(labels[:-1], 1), frames, axis=1)
        return self._rows(latents, weights)

    def _latents(self, labels: Sequence[int] | np.ndarray, columns: int) -> np.ndarray:
        rows = np.zeros_like(labels) if self.shared_latents else labels
        size = self.generator.latent_size
        return sheet_latents(self.seed, rows, columns, size, self.truncation)

    def _rows(self, latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Images for latents [R, n, Z] and labels [R, n] or weights [R, n, num_classes]."""
        shape = latents.shape[:2]
        latents, classes = (x.reshape(-1, *x.shape[2:]) for x in (latents, classes))

        @tf.function(autograph=False, reduce_retracing=True)
        def images_of(latents: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
            return self.generator(latents, classes, training=False)

        parts = [slice(k, k + self.batch_size) for k in range(0, len(latents), self.batch_size)]
        images = np.concatenate(
            [
                images_of(tf.constant(latents[part]), tf.constant(classes[part])).numpy()
                for part in parts
            ]
        ).astype(np.float32)
        return images.reshape(*shape, *images.shape[1:])


def _column(labels: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.asarray(labels, np.int32)[:, None]
