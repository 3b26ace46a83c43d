"""Features of a set of images, in one pass; those of real images are kept and used again."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from robgan_tf.data.sources import ImageSource
from robgan_tf.errors import UserError
from robgan_tf.files import digest, read_npz, write_atomically
from robgan_tf.quality.ahead import one_ahead
from robgan_tf.quality.extractors import FeatureExtractor
from robgan_tf.quality.moments import FeatureStatistics
from robgan_tf.typing import JsonObject, PathLike

# Of the largest feature: what other processors and precisions may make of the same network.
_PROBE_TOLERANCE = 0.02


@dataclasses.dataclass(frozen=True)
class ImageFeatures:
    """What an extractor makes of N images.

    Attributes:
      features: float32 [N, d].
      probabilities: float32 [N, K] of the extractor's classes, or None where it has none or they
        were not wanted.
      labels: int [N], classes of the images.
    """

    features: np.ndarray
    probabilities: np.ndarray | None
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.features)

    def moments(self, chosen: slice | np.ndarray = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Mean [d] and covariance [d, d] in float64, of all images or of those chosen."""
        statistics = FeatureStatistics(self.features.shape[1])
        features = self.features[chosen]
        for start in range(0, len(features), 1000):
            statistics.update(features[start : start + 1000])
        return statistics.mean, statistics.covariance


def extract(
    extractor: FeatureExtractor,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    count: int,
    with_probabilities: bool = True,
) -> ImageFeatures:
    """Computes the features of images.

    Args:
      extractor: a FeatureExtractor.
      batches: iterable of (uint8 images [n, H, W, C], labels [n]).
      count: how many images they hold in all.
      with_probabilities: whether class probabilities are wanted, if there are any.

    Returns:
      ImageFeatures, which is all that is held but for two batches.
    """
    features = np.empty([count, extractor.dimensions], np.float32)
    probabilities = None
    if with_probabilities and extractor.classes is not None:
        probabilities = np.empty([count, extractor.classes], np.float32)
    labels = np.empty(count, np.int32)
    start = 0
    for images, of_batch in one_ahead(batches):
        rows = slice(start, start + len(images))
        features[rows], classes = extractor(np.asarray(images))
        if probabilities is not None:
            probabilities[rows] = classes
        labels[rows] = of_batch
        start = rows.stop
    if start != count:
        raise ValueError(f"{count} images were announced and {start} came")
    return ImageFeatures(features, probabilities, labels)


def is_same_network(probe: np.ndarray, now: np.ndarray) -> bool:
    """Whether an extractor gives what it gave: a user's function may read weights from anywhere.

    Args:
      probe: features it once gave of some images.
      now: those it gives of the same images now.
    """
    return probe.shape == now.shape and bool(
        np.abs(probe - now).max() <= _PROBE_TOLERANCE * np.abs(now).max()
    )


class ReferenceFeatures:
    """Features of real images, computed once and stored.

    Other images, or another network by the same name, are in another file, so that runs with
    different data can keep theirs in one directory.

    Args:
      directory: where they are stored; created if it does not exist.
      extractor: a FeatureExtractor.
      source: an ImageSource.
      name: what the images are, such as "cifar10-train".
      batch_size: images at a time.

    Raises:
      UserError: if there are no images.
    """

    def __init__(
        self,
        directory: PathLike,
        extractor: FeatureExtractor,
        source: ImageSource,
        name: str,
        batch_size: int = 100,
    ) -> None:
        if not len(source):
            raise UserError(f"there are no real images to compare with: {name} is empty")
        self._directory = pathlib.Path(directory)
        self._extractor = extractor
        self._source = source
        self._name = name
        self._batch_size = batch_size

    @property
    def path(self) -> pathlib.Path:
        """The file that holds them."""
        size = f"{self._source.resolution}px-{len(self._source)}"
        contents = digest(json.dumps(self._fingerprint).encode())[:8]
        return self._directory / f"{self._name}-{size}-{self._extractor.name}-{contents}.npz"

    def load(self) -> ImageFeatures:
        """Returns the ImageFeatures: stored ones, or computed and stored now.

        Raises:
          UserError: if the file is damaged, is of other images or another network, or cannot be
            written.
        """
        if self.path.exists():
            return self._stored()
        self._make_directory()
        features = self.compute()
        if len(features) > 1 and (features.features == features.features[0]).all():
            raise UserError(
                f"{self._extractor.name} gives the same features for all {len(features)} real "
                "images: it tells none apart, and every distance would be 0"
            )
        arrays: dict[str, Any] = {
            "features": features.features,
            "labels": features.labels,
            "fingerprint": np.array(json.dumps(self._fingerprint)),
            "probe": self._extractor.probe,
        }
        write_atomically(self.path, lambda file: np.savez(file, **arrays))
        return features

    def compute(self) -> ImageFeatures:
        """Returns the ImageFeatures, computed now."""
        return extract(self._extractor, self._batches(), len(self._source), False)

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"features of real images cannot be kept in {self._directory}: {error.strerror}"
            ) from error

    def _stored(self) -> ImageFeatures:
        try:
            arrays = read_npz(self.path)
            found = dict(json.loads(str(arrays["fingerprint"])))
            features = ImageFeatures(arrays["features"], None, arrays["labels"])
            probe = arrays["probe"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.path} cannot be read: {error}; remove it") from error
        different = [name for name, value in self._fingerprint.items() if found.get(name) != value]
        if not different and not is_same_network(probe, self._extractor.probe):
            different = ["what the extractor makes of the same images"]
        if different:
            raise UserError(
                f"{self.path} is of other images or another network (it differs in "
                f"{', '.join(sorted(different))}): move it away, and it is computed anew"
            )
        return features

    @functools.cached_property
    def _fingerprint(self) -> JsonObject:
        """What tells these images from others, and the network from another."""
        return {
            "pixels": self._source.content_digest(),
            "labels": digest(np.ascontiguousarray(self._source.labels)),
            "images": len(self._source),
            "resolution": self._source.resolution,
            "extractor": self._extractor.name,
            "weights of the extractor": self._extractor.source,
            "dimensions": self._extractor.dimensions,
        }

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches of all images in stored order."""
        for start in range(0, len(self._source), self._batch_size):
            indices = np.arange(start, min(start + self._batch_size, len(self._source)))
            yield self._source.fetch(indices), self._source.labels[indices]
