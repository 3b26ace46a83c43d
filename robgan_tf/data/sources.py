"""Where images come from: the interface, and sources that hold all pixels in memory."""

import abc
import hashlib
import threading
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.data.subsets import spaced_rows
from robgan_tf.errors import UserError
from robgan_tf.files import digest_all

_DIGEST_BLOCK = 1000  # images held at a time


def scale_images(images: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Maps uint8 pixels to float32 in [-1, 1]: p / 127.5 - 1."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


class ImageSource(abc.ABC):
    """A fixed list of labelled images, fetched by position.

    Attributes:
      class_names: tuple of strings; a label is an index into it.
      resolution: height and width of every fetched image, in pixels.
      channels: channels of every fetched image.
      corrupt_files: dict from the path of each unreadable file met so far to the
        reason; stays empty for sources without files.
    """

    def __init__(self, class_names: Sequence[str], resolution: int, channels: int) -> None:
        self.class_names = tuple(class_names)
        self.resolution = resolution
        self.channels = channels
        self.corrupt_files: dict[str, str] = {}

    @property
    @abc.abstractmethod
    def labels(self) -> np.ndarray:
        """int32 array `[N]`, the label of each image in stored order."""

    @property
    def ids(self) -> np.ndarray | None:
        """The names by which the data set tells its images apart, str array `[N]`, or None."""
        return None

    @property
    def locations(self) -> np.ndarray | None:
        """By what each image is found again, its path or its id, str array `[N]`, or None."""
        return self.ids

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of images, known without reading any."""

    @abc.abstractmethod
    def fetch_tensor(self, indices: tf.Tensor, boxes: tf.Tensor | None = None) -> tf.Tensor:
        """Fetches images, in a graph or eagerly.

        Args:
          indices: int64 tensor `[n]`, positions in stored order.
          boxes: None for whole images, or float32 tensor `[n, 4]`: y0, x0, y1, x1 of
            the part to show, as fractions of the square image in [0, 1].

        Returns:
          A uint8 tensor `[n, resolution, resolution, channels]`.
        """

    @abc.abstractmethod
    def subset(self, indices: np.ndarray) -> "ImageSource":
        """Returns the source of the images at `indices` (int array), in that order."""

    def fetch(
        self, indices: Sequence[int] | np.ndarray, boxes: np.ndarray | None = None
    ) -> np.ndarray:
        """Fetches images as a uint8 array `[n, resolution, resolution, channels]`.

        Args:
          indices: integer array `[n]`, positions in stored order.
          boxes: None, or float32 array `[n, 4]` as in `fetch_tensor`.

        Raises:
          UserError: no readable image is left for one of the classes.
        """
        with tf.device("CPU:0"):
            indices = tf.constant(np.asarray(indices, np.int64))
            if boxes is not None:
                boxes = tf.constant(np.asarray(boxes, np.float32))
            return self.fetch_tensor(indices, boxes).numpy()

    def fetch_scaled(self, indices: np.ndarray) -> np.ndarray:
        """Fetches images as float32 [n, resolution, resolution, channels] in [-1, 1].

        Args:
          indices: integer array `[n]`, positions in stored order.

        Raises:
          UserError: as `fetch`.
        """
        return scale_images(self.fetch(indices)).numpy()

    def evenly_spaced(self, count: int) -> "ImageSource":
        """Returns the source of at most `count` of the images, evenly spaced in stored order.

        Class folders are stored class by class, so the first images would be of one class. Where
        classes take turns, as in a, b, a, b, evenly spaced images may be of one class too: those
        are chosen by class (`subsets.spaced_rows`).
        """
        return self.subset(spaced_rows(self.labels, count))

    def check_labelled(self, purpose: str) -> None:
        """Refuses images without a label, which TensorFlow Datasets gives the label -1.

        Args:
          purpose: what needs the labels of which images, and what would do without.

        Raises:
          UserError: if there are such images.
        """
        missing = np.count_nonzero((self.labels < 0) | (self.labels >= len(self.class_names)))
        if missing:
            raise UserError(
                f"{missing} of {len(self)} images have no label (they are marked "
                f"{self.labels.min()}), which {purpose}"
            )

    def check_every_class_is_readable(self) -> None:  # noqa: B027  most have nothing to check.
        """Looks at an image of each class, where images may be unreadable.

        Raises:
          UserError: a class has no readable image.
        """

    @property
    def fingerprints(self) -> np.ndarray | None:
        """int64 array `[N]`, equal for images that are exactly alike as they are stored.

        None where that is not known of the images one by one.
        """
        return None

    def count_in(self, other: "ImageSource") -> int:
        """How many of these images are in `other` too, exactly alike; 0 where it is not known."""
        ours, theirs = self.fingerprints, other.fingerprints
        if ours is None or theirs is None:
            return 0
        return int(np.isin(ours, theirs).sum())

    def content_digest(self) -> str:
        """Hexadecimal digits that tell the pixels of these images, in their order, from others."""
        starts = range(0, len(self), _DIGEST_BLOCK)
        positions = (np.arange(i, min(i + _DIGEST_BLOCK, len(self))) for i in starts)
        return digest_all(self.fetch(block) for block in positions)


class InMemorySource(ImageSource):
    """Images held as one uint8 tensor in host memory.

    Args:
      pixels: uint8 array or tensor `[M, storage, storage, channels]`. `storage` may
        exceed `resolution`, so that crops need not be enlarged.
      labels: integer array `[M]`.
      class_names: names of the classes.
      resolution: side of the fetched images in pixels.
      positions: integer array `[N]`, the rows of `pixels` that belong to this source;
        None for all. Subsets share one pixel tensor this way.
      ids: str array `[M]`, or None where the data set has none.
      fingerprints: int64 array `[M]` of `fingerprint` of the images as the data set has them; of
        the pixels given here if None.
    """

    def __init__(
        self,
        pixels: np.ndarray | tf.Tensor,
        labels: np.ndarray,
        class_names: Sequence[str],
        resolution: int,
        positions: np.ndarray | None = None,
        ids: np.ndarray | None = None,
        fingerprints: np.ndarray | None = None,
    ) -> None:
        super().__init__(class_names, resolution, channels=pixels.shape[-1])
        # An eager tensor is captured by tf.data graphs by reference. It is kept off any
        # accelerator, where tf.data could not read it.
        with tf.device("CPU:0"):
            self._pixels = tf.convert_to_tensor(pixels)
            self._positions = None if positions is None else tf.constant(positions, tf.int64)
        self._stored_labels = np.asarray(labels, np.int32)
        self._labels = self._stored_labels if positions is None else self._stored_labels[positions]
        self._stored_ids = ids
        self._stored_fingerprints = fingerprints

    @property
    @override
    def labels(self) -> np.ndarray:
        return self._labels

    @property
    @override
    def ids(self) -> np.ndarray | None:
        return self._own(self._stored_ids)

    @property
    @override
    def fingerprints(self) -> np.ndarray | None:
        if self._stored_fingerprints is None:
            self._stored_fingerprints = np.array([fingerprint(x) for x in self._pixels.numpy()])
        return self._own(self._stored_fingerprints)

    def _own(self, stored: np.ndarray | None) -> np.ndarray | None:
        """The rows of this source of an array `[M]`."""
        if stored is None or self._positions is None:
            return stored
        return stored[self._positions.numpy()]

    def __len__(self) -> int:
        return len(self._labels)

    @override
    def fetch_tensor(self, indices: tf.Tensor, boxes: tf.Tensor | None = None) -> tf.Tensor:
        if self._positions is not None:
            indices = tf.gather(self._positions, indices)
        images = tf.gather(self._pixels, indices)
        if boxes is not None:
            return crop_and_resize(images, boxes, self.resolution)
        if images.shape[1] == self.resolution:
            return images
        return resize_antialiased(images, self.resolution)

    @override
    def subset(self, indices: np.ndarray) -> "InMemorySource":
        indices = np.asarray(indices, np.int64)
        positions = indices if self._positions is None else self._positions.numpy()[indices]
        return InMemorySource(
            self._pixels,
            self._stored_labels,
            self.class_names,
            self.resolution,
            positions,
            self._stored_ids,
            self._stored_fingerprints,
        )


class LazySource(ImageSource):
    """A source that is loaded when something other than its length is first asked for.

    Args:
      load: function without arguments that returns the loaded source.
      length: number of images it will have.
      class_names: names of the classes.
      resolution: side of the fetched images in pixels.
      channels: channels of the fetched images.
    """

    def __init__(
        self,
        load: Callable[[], ImageSource],
        length: int,
        class_names: Sequence[str],
        resolution: int,
        channels: int,
    ) -> None:
        super().__init__(class_names, resolution, channels)
        self._load = load
        self._length = length
        self._loaded: ImageSource | None = None
        self._lock = threading.Lock()

    def _source(self) -> ImageSource:
        with self._lock:
            if self._loaded is None:
                # Loading may be triggered while a graph is traced; it must stay outside it.
                with tf.init_scope():
                    self._loaded = self._load()
        return self._loaded

    @property
    @override
    def labels(self) -> np.ndarray:
        return self._source().labels

    @property
    @override
    def ids(self) -> np.ndarray | None:
        return self._source().ids

    @property
    @override
    def locations(self) -> np.ndarray | None:
        return self._source().locations

    @property
    @override
    def fingerprints(self) -> np.ndarray | None:
        return self._source().fingerprints

    def __len__(self) -> int:
        return self._length

    @override
    def fetch_tensor(self, indices: tf.Tensor, boxes: tf.Tensor | None = None) -> tf.Tensor:
        return self._source().fetch_tensor(indices, boxes)

    @override
    def subset(self, indices: np.ndarray) -> ImageSource:
        return self._source().subset(indices)


def fingerprint(image: np.ndarray | bytes) -> np.int64:
    """A number that tells the pixels of an image, or the bytes of its file, from all others."""
    shape = () if isinstance(image, bytes) else image.shape
    content = image if isinstance(image, bytes) else np.ascontiguousarray(image).tobytes()
    digest = hashlib.blake2b(content, digest_size=8, person=str(shape).encode()[:16]).digest()
    return np.int64(int.from_bytes(digest, "little", signed=True))


def resize_antialiased(images: tf.Tensor, resolution: int) -> tf.Tensor:
    """Resizes uint8 images `[n, h, w, c]` to `[n, resolution, resolution, c]`, uint8."""
    resized = tf.image.resize(images, [resolution, resolution], "bicubic", antialias=True)
    return rounded_pixels(resized)


def rounded_pixels(pixels: tf.Tensor) -> tf.Tensor:
    """Rounds float pixels to uint8, saturating: bicubic filters overshoot [0, 255]."""
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0.0, 255.0), tf.uint8)


def crop_and_resize(images: tf.Tensor, boxes: tf.Tensor, resolution: int) -> tf.Tensor:
    """Shows the parts `boxes` of uint8 images `[n, s, s, c]` at `resolution`, bilinearly.

    There is no low-pass filter: it is meant for crops that are at least `resolution`
    and less than twice `resolution` wide.
    """
    storage = images.shape[1]
    corners = tf.cast(boxes, tf.float32) * storage
    top_left, bottom_right = corners[:, :2], corners[:, 2:]
    # crop_and_resize puts the first and last samples on the corners of its box, in units
    # where 1 is the centre of the last pixel. Shift the corners to sample centres.
    half_sample = (bottom_right - top_left) / (2 * resolution)
    centres = tf.concat([top_left + half_sample, bottom_right - half_sample], axis=1) - 0.5
    normalised = tf.clip_by_value(centres / max(storage - 1, 1), 0.0, 1.0)
    owners = tf.range(tf.shape(images)[0])
    return rounded_pixels(
        tf.image.crop_and_resize(images, normalised, owners, [resolution, resolution])
    )
