"""A function from images to features, called a batch at a time and checked at each."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from robgan_tf.errors import UserError, first_line
from robgan_tf.quality.moments import row_blocks
from robgan_tf.robustness.peers import ALONE, Peers
from robgan_tf.robustness.replicas import spread

BATCH_SIZE = 50

# Height, width and channels of images; None where a network takes any.
ImageShape = tuple[int, int, int]
FreeShape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A function from images to features and class probabilities, and what it is called.

    Attributes:
      name: extractor and resizing, such as "keras-inceptionv3-antialias299", for names of scores.
      call: function from uint8 images [n, H, W, C] to features [n, d], to (features, logits
        [n, K]), or to a dict with features and perhaps logits.
      dimensions: d.
      classes: K, or None where it gives no logits.
      image_shape: (H, W, C) of the images it was opened for.
      source: what identifies its weights, for records.
      probe: float32 [n, d], the features of images that are the same for every extractor.
      devices: names of devices that share the batches, each computed whole on one of them, which
        changes no result; none for the one that TensorFlow chooses.
      peers: the processes that share the batches, each computed whole in one of them; all of them
        call this on the same images.
    """

    name: str
    call: Callable[[np.ndarray], Any]
    dimensions: int
    classes: int | None
    image_shape: ImageShape
    source: str
    probe: np.ndarray
    devices: Sequence[str] = ()
    peers: Peers = ALONE

    @property
    def identity(self) -> str:
        """Name and weights, wherever they are."""
        return f"{self.name} ({self.source})"

    def __call__(
        self, images: np.ndarray, batch_size: int = BATCH_SIZE
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Extracts from any number of images, a batch at a time.

        Args:
          images: uint8 [N, H, W, C], quantised as saved images are; N may be 0.
          batch_size: images at a time; results depend on it by rounding only.

        Returns:
          Features, float32 [N, d], and the softmax of the logits, float32 [N, K], or None where
          there are none.

        Raises:
          UserError: if the images are others, or the output is not what it was on opening or is
            not finite.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self.image_shape:
            raise UserError(
                f"{self.name} was opened for uint8 images of shape {shown(self.image_shape)}; "
                f"these are {images.dtype} of shape {shown(images.shape[1:])}"
            )
        features = np.empty([len(images), self.dimensions], np.float32)
        probabilities = None
        if self.classes is not None:
            probabilities = np.empty([len(images), self.classes], np.float32)
        blocks = [np.arange(len(images))[rows] for rows in row_blocks(len(images), batch_size)]
        devices: Sequence[str | None] = self.devices or [None]
        calls = [functools.partial(self._outputs, images, device) for device in devices]
        for rows, _, (some_features, logits) in spread(blocks, calls, self.peers):
            widths = some_features.shape[1], None if logits is None else logits.shape[1]
            if widths != (self.dimensions, self.classes):
                raise UserError(
                    f"{self.name} gave {self.dimensions} features and {self.classes} logits at "
                    f"first and {widths[0]} and {widths[1]} later"
                )
            features[rows] = some_features
            if logits is not None and probabilities is not None:
                probabilities[rows] = _softmax(logits)
        return features, probabilities

    def _outputs(
        self, images: np.ndarray, device: str | None, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """What `outputs` returns of the images at some positions."""
        with tf.device(device) if device else contextlib.nullcontext():
            return outputs(self.name, self.call, images[rows])


def outputs(
    name: str, call: Callable[[np.ndarray], Any], images: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Features and logits or None of one batch, float32 and checked."""
    try:
        features, logits = _parts(name, call(images))
        features = np.asarray(features, np.float32)
        logits = None if logits is None else np.asarray(logits, np.float32)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # A user's function may raise anything.
        raise UserError(
            f"{name} fails on images of shape {shown(images.shape[1:])}: {described(error)}"
        ) from error
    _check_matrix(name, "features", "d", features, len(images))
    if logits is not None:
        _check_matrix(name, "logits", "classes", logits, len(images))
    return features, logits


def _parts(name: str, output: Any) -> tuple[Any, Any]:
    """Features, and logits or None, of what an extractor returned."""
    if isinstance(output, dict):
        # The latter are the names Keras gives the outputs of an exported model without names.
        for names in (("features", "logits"), ("output_0", "output_1")):
            if set(output) == set(names):
                return output[names[0]], output[names[1]]
        if len(output) == 1 or "features" in output:
            return output.get("features", next(iter(output.values()))), output.get("logits")
        raise UserError(f"{name} gives {', '.join(output)}; features and logits are needed")
    if not isinstance(output, (tuple, list)):
        return output, None
    if len(output) not in (1, 2):
        raise UserError(f"{name} gives {len(output)} outputs; features and logits are needed")
    return output[0], output[1] if len(output) == 2 else None


def _check_matrix(name: str, part: str, columns: str, values: np.ndarray, count: int) -> None:
    if values.ndim != 2 or len(values) != count or not values.shape[1]:
        pooling = ": pool them over the image" if values.ndim == 4 else ""
        raise UserError(
            f"{name} gives {part} of shape {values.shape} for {count} images; [N, {columns}] is "
            f"needed{pooling}"
        )
    if not np.isfinite(values).all():
        raise UserError(f"{name} gives infinite or NaN {part}")


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def shown(shape: Sequence[int | None]) -> str:
    """A shape for messages, such as "32 x 32 x any"."""
    return " x ".join("any" if side is None else str(side) for side in shape)


def described(error: BaseException) -> str:
    """The kind of an error and the first line of its message."""
    return f"{type(error).__name__}: {first_line(error)}"
