"""Compares samples with training images: does a generator memorise?

A distance alone says little, so it is compared with how far training images lie from their own
nearest neighbours: a memorised image is much nearer than that.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from robgan_tf.data.sources import ImageSource
from robgan_tf.data.subsets import evenly_spaced_rows
from robgan_tf.errors import UserError
from robgan_tf.quality.extractors import FeatureExtractor
from robgan_tf.quality.neighbours import Neighbours, nearest
from robgan_tf.sampling.neighbour_sheet import neighbour_sheet
from robgan_tf.typing import JsonObject

# Of which the median is taken; more would change it by little and cost much.
MOST_MEASURED = 1000


@dataclasses.dataclass(frozen=True)
class NearestTrainingImages:
    """Samples and their nearest training images in the feature space of an extractor.

    Attributes:
      samples: uint8 [N, H, W, C].
      labels: int [N], classes of the samples; of no meaning where G has none.
      source: ImageSource of the training images.
      neighbours: Neighbours of the samples in it.
      unit: median distance of training images to their nearest neighbour among them.
      extractor_name: what the features are.
    """

    samples: np.ndarray
    labels: np.ndarray
    source: ImageSource
    neighbours: Neighbours
    unit: float
    extractor_name: str

    def record(self, class_names: Sequence[str]) -> JsonObject:
        """The numbers as a dict for JSON.

        Args:
          class_names: of the generator; empty if it has no classes.
        """
        locations = self.source.locations
        return {
            "features": self.extractor_name,
            "training_images": len(self.source),
            "median_nearest_distance_of_training_images": self.unit,
            "median_over_images": min(len(self.source), MOST_MEASURED),
            "nearest_in_medians": self._in_units(self.neighbours.distances.min()),
            "samples": [
                {
                    "class": class_names[label] if class_names else None,
                    "neighbours": [
                        {
                            "index": int(index),
                            "id": None if locations is None else str(locations[index]),
                            "class": self.source.class_names[self.source.labels[index]],
                            "distance": float(distance),
                            "in_medians": self._in_units(distance),
                        }
                        for index, distance in zip(indices, distances, strict=True)
                    ],
                }
                for label, indices, distances in zip(
                    self.labels, self.neighbours.indices, self.neighbours.distances, strict=True
                )
            ],
        }

    def picture(self, class_names: Sequence[str]) -> np.ndarray:
        """The picture, uint8 [h, w, 3]; `class_names` as in `record`."""
        indices, distances = self.neighbours.indices, self.neighbours.distances
        found = self.source.fetch(indices.ravel()).reshape(*indices.shape, *self.samples.shape[1:])
        captions = [[self._caption(distance) for distance in row] for row in distances]
        names = [class_names[label] if class_names else "" for label in self.labels]
        headline = [
            f"Nearest of {len(self.source)} training images by {self.extractor_name}: distance,",
            f"in brackets divided by {self.unit:.4g}, the median distance of a training image to",
            "its own nearest training image. A copy would be at 0.",
        ]
        return neighbour_sheet(self.samples, found, captions, names, headline)

    def summary(self) -> str:
        """One line on the sample that is nearest to a training image."""
        nearest_distance = self.neighbours.distances.min()
        relative = self._in_units(nearest_distance)
        of_unit = "" if relative is None else f", {relative:.2f} times the median distance"
        return (
            f"  nearest: {nearest_distance:.4g}{of_unit} of a training image to its own nearest "
            f"({self.unit:.4g})"
        )

    def _caption(self, distance: float) -> str:
        relative = self._in_units(distance)
        return f"{distance:.4g}" + ("" if relative is None else f" ({relative:.2f}x)")

    def _in_units(self, distance: float) -> float | None:
        """None where more than half of the training images are duplicates of others."""
        return float(distance / self.unit) if self.unit > 0.0 else None


def check_count(source: ImageSource, k: int) -> None:
    """Refuses as few training images as neighbours, before their features are computed.

    Raises:
      UserError: if there are not more than k.
    """
    if len(source) <= k:
        raise UserError(
            f"{len(source)} training images are too few to find {k} neighbours of a sample: "
            "compare more (--training_images), or ask for fewer (--neighbours)"
        )


def compare(
    samples: np.ndarray,
    labels: np.ndarray,
    extractor: FeatureExtractor,
    source: ImageSource,
    training_features: np.ndarray,
    k: int,
) -> NearestTrainingImages:
    """Finds the nearest training images of samples.

    Args:
      samples: uint8 [N, H, W, C], quantised as the training images are.
      labels: int [N], their classes.
      extractor: a FeatureExtractor for images of this shape.
      source: ImageSource of the training images.
      training_features: [M, d], the features of its images in stored order.
      k: neighbours of each sample.

    Returns:
      A NearestTrainingImages.

    Raises:
      UserError: if there are not more than k training images, or the extractor refuses the samples.
    """
    check_count(source, k)
    features, _ = extractor(samples)
    return NearestTrainingImages(
        samples,
        np.asarray(labels),
        source,
        nearest(features, training_features, k),
        median_nearest_distance(training_features),
        extractor.name,
    )


def median_nearest_distance(features: np.ndarray) -> float:
    """The median distance of an image to its nearest neighbour in its own set.

    Args:
      features: [m, d], finite, at least 2 rows.

    Returns:
      A float: over all images, or over `MOST_MEASURED` of them, evenly spaced.
    """
    rows = evenly_spaced_rows(len(features), MOST_MEASURED)
    return float(np.median(nearest(features[rows], features, 1, excluded=rows).distances))
