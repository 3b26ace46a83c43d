"""Images read from the record files of TensorFlow Datasets when they are fetched, by position.

Nothing but an index is held, and where a run goes on makes no difference: its images are found
without those before them.
"""

import functools
import io
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.data.augmentation import storage_side
from robgan_tf.data.decoding import decode_picture, fit_square
from robgan_tf.data.image_file import read_image
from robgan_tf.data.record_index import RecordIndex, encoded_fingerprints
from robgan_tf.data.sources import ImageSource, crop_and_resize, rounded_pixels
from robgan_tf.data.threads import decoders
from robgan_tf.errors import DAMAGED_RECORD, UserError
from robgan_tf.files import digest_all

_PARALLEL_IMAGES = max(2, os.cpu_count() or 2)


class RecordSource(ImageSource):
    """Encoded images in record files.

    Args:
      index: of the split.
      class_names: names of the classes.
      resolution: side of the fetched images in pixels.
      channels: 1 for grayscale, 3 for RGB.
      is_prepared: whether the images are upright JPEG or PNG files of at most about twice the
        resolution, as `prepare` makes them: of these no more is decoded than a crop shows.
      rows: int array [N], which of the index's records the source consists of; None for all.
    """

    def __init__(
        self,
        index: RecordIndex,
        class_names: Sequence[str],
        resolution: int,
        channels: int,
        is_prepared: bool,
        rows: np.ndarray | None = None,
    ) -> None:
        super().__init__(class_names, resolution, channels)
        self._index, self._is_prepared = index, is_prepared
        self._rows = np.arange(len(index.labels)) if rows is None else np.asarray(rows, np.int64)

    @property
    @override
    def labels(self) -> np.ndarray:
        return self._index.labels[self._rows]

    @property
    @override
    def ids(self) -> np.ndarray | None:
        return None if self._index.ids is None else self._index.ids[self._rows]

    @property
    @override
    def fingerprints(self) -> np.ndarray:
        return self._index.fingerprints[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    @override
    def subset(self, indices: np.ndarray) -> "RecordSource":
        return RecordSource(
            self._index,
            self.class_names,
            self.resolution,
            self.channels,
            self._is_prepared,
            self._rows[indices],
        )

    @override
    def content_digest(self) -> str:
        """The same of records: of the fingerprints of their images, and the resolution."""
        return digest_all([f"records {self.resolution}".encode(), self.fingerprints.tobytes()])

    @override
    def fetch_tensor(self, indices: tf.Tensor, boxes: tf.Tensor | None = None) -> tf.Tensor:
        count = indices.shape[0]
        records, expected = tf.numpy_function(
            self._read, [indices], (tf.string, tf.int64), stateful=False
        )
        spec = {"image": tf.io.FixedLenFeature([], tf.string)}
        encoded = tf.io.parse_example(tf.ensure_shape(records, [count]), spec)["image"]
        same = tf.reduce_all(encoded_fingerprints(encoded) == expected)
        with tf.control_dependencies([tf.debugging.Assert(same, [DAMAGED_RECORD])]):
            encoded = tf.identity(encoded)
        if boxes is None:
            images = tf.numpy_function(self._whole, [encoded], tf.uint8, stateful=False)
        else:
            decode = _decoder(self.resolution, self.channels, self._is_prepared)
            images = decode(encoded, boxes)
        return tf.ensure_shape(images, [count, self.resolution, self.resolution, self.channels])

    def _whole(self, encoded: np.ndarray) -> np.ndarray:
        """The centre squares of images, in the pixels that every source has of them."""

        def square(content: bytes) -> np.ndarray:
            return read_image(io.BytesIO(content), self.resolution, self.channels)

        shape = [len(encoded), self.resolution, self.resolution, self.channels]
        return np.array(list(decoders().map(square, encoded)), np.uint8).reshape(shape)

    def _read(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The records at positions, and the fingerprints that their images should have."""
        rows = self._rows[positions]
        records = np.empty(len(rows), object)
        descriptors: dict[int, int] = {}
        try:
            for place, row in enumerate(rows):
                owner = int(self._index.owners[row])
                if owner not in descriptors:
                    descriptors[owner] = os.open(self._index.files[owner], os.O_RDONLY)
                size, offset = int(self._index.sizes[row]), int(self._index.offsets[row])
                records[place] = os.pread(descriptors[owner], size, offset)
                if len(records[place]) < size:
                    raise UserError(DAMAGED_RECORD)
        finally:
            for descriptor in descriptors.values():
                os.close(descriptor)
        return records, self._index.fingerprints[rows]


@functools.cache
def _decoder(resolution: int, channels: int, is_prepared: bool) -> Callable[..., tf.Tensor]:
    """The function from strings [N] and boxes [N, 4] of the centre squares to images.

    It is traced once a process, and decodes several images at the same time.
    """

    def part(element: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        encoded, box = element
        if is_prepared:
            return _window(encoded, box, resolution, channels)
        # As of images that are held in memory.
        side = storage_side(resolution, "area_crop_flip")
        square = fit_square(decode_picture(encoded, side, channels)[None], side)
        return crop_and_resize(square, box[None], resolution)[0]

    def parts(encoded: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            part,
            (encoded, boxes),
            fn_output_signature=tf.TensorSpec([resolution, resolution, channels], tf.uint8),
            parallel_iterations=_PARALLEL_IMAGES,
        )

    signature = [tf.TensorSpec([None], tf.string), tf.TensorSpec([None, 4], tf.float32)]
    return tf.function(parts, input_signature=signature, autograph=False)


def _window(encoded: tf.Tensor, box: tf.Tensor, resolution: int, channels: int) -> tf.Tensor:
    """Decodes no more of an upright JPEG than a box of its centre square needs, and resizes it.

    Bilinearly and without a low-pass filter, as `crop_and_resize` does.

    Args:
      encoded: string scalar, JPEG or PNG.
      box: float32 [4], y0, x0, y1, x1 as fractions of the centre square.
      resolution: side of the result.
      channels: of the result.

    Returns:
      uint8 [resolution, resolution, channels].
    """
    is_jpeg = tf.strings.substr(encoded, 0, 2) == b"\xff\xd8"

    def of_jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        sides = tf.image.extract_jpeg_shape(encoded)[:2]
        first, size, corners = _places(sides, box)
        window = tf.concat([first, size], axis=0)
        pixels = tf.image.decode_and_crop_jpeg(
            encoded, window, channels=channels, dct_method="INTEGER_ACCURATE"
        )
        return pixels, _normalised(first, size, corners, resolution)

    def of_png() -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.decode_png(encoded, channels=channels)
        sides = tf.shape(pixels)[:2]
        _, _, corners = _places(sides, box)
        return pixels, _normalised(tf.zeros_like(sides), sides, corners, resolution)

    pixels, normalised = tf.cond(is_jpeg, of_jpeg, of_png)
    pixels = tf.ensure_shape(pixels, [None, None, channels])
    resized = tf.image.crop_and_resize(
        pixels[None], normalised[None], [0], [resolution, resolution]
    )
    return rounded_pixels(resized[0])


def _places(sides: tf.Tensor, box: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """First pixels and sides of the window that a box needs, int32 [2] each, and its corners."""
    shorter = tf.cast(tf.reduce_min(sides), tf.float32)
    start = (tf.cast(sides, tf.float32) - shorter) / 2.0
    corners = tf.concat([start + box[:2] * shorter, start + box[2:] * shorter], axis=0)
    first = tf.cast(tf.floor(corners[:2]), tf.int32)
    last = tf.minimum(tf.cast(tf.math.ceil(corners[2:]), tf.int32), sides)
    return first, last - first, corners


def _normalised(
    first: tf.Tensor, size: tf.Tensor, corners: tf.Tensor, resolution: int
) -> tf.Tensor:
    """The box in a window, in the units of TensorFlow's `crop_and_resize`: see `sources`."""
    half_sample = (corners[2:] - corners[:2]) / (2 * resolution)
    centres = tf.concat([corners[:2] + half_sample, corners[2:] - half_sample], axis=0) - 0.5
    centres -= tf.cast(tf.tile(first, [2]), tf.float32)
    largest = tf.cast(tf.tile(tf.maximum(size - 1, 1), [2]), tf.float32)
    return tf.clip_by_value(centres / largest, 0.0, 1.0)
