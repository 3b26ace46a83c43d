"""Labelled images in an npz file, as the field hands them around: arrays x and y."""

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.data.sources import ImageSource
from robgan_tf.errors import UserError, shortened
from robgan_tf.files import read_npz
from robgan_tf.typing import PathLike

# Names of the two arrays, in the order in which they are looked for.
_NAMES = (("x", "y"), ("x_test", "y_test"), ("images", "labels"), ("image", "label"))
_CHANNELS = (1, 3)


class ArraySource(ImageSource):
    """Images held as floats, which need not be those of bytes.

    Args:
      images: float32 [N, H, W, C] in [-1, 1].
      labels: int32 [N].
      class_names: names of the classes.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
        super().__init__(class_names, images.shape[1], images.shape[3])
        self._images = images
        self._labels = labels

    @property
    @override
    def labels(self) -> np.ndarray:
        return self._labels

    def __len__(self) -> int:
        return len(self._labels)

    @override
    def fetch_tensor(self, indices: tf.Tensor, boxes: tf.Tensor | None = None) -> tf.Tensor:
        assert boxes is None, "nothing is trained on these"
        pixels = tf.gather(self._images, indices) * 127.5 + 127.5
        return tf.saturate_cast(tf.round(pixels), tf.uint8)

    @override
    def fetch_scaled(self, indices: np.ndarray) -> np.ndarray:
        return self._images[indices]

    @override
    def subset(self, indices: np.ndarray) -> "ArraySource":
        return ArraySource(self._images[indices], self._labels[indices], self.class_names)


def read_array_file(path: PathLike, class_names: Sequence[str] = ()) -> tuple[ArraySource, str]:
    """Reads labelled images; nothing in the file is unpickled.

    Args:
      path: npz file with x, images as `as_images` takes them, and y, integer labels [N] or [N, 1].
      class_names: names of the classes, in the order of the labels; numbers if empty.

    Returns:
      (the images, a line on what was found).

    Raises:
      UserError: if it cannot be read or holds something else.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"the images {path} do not exist")
    try:
        arrays = read_npz(path)
        images, found = as_images(*_of_names(arrays))
        labels = as_classes(arrays[_label_name(arrays)], len(images), class_names)
    except ValueError as error:
        raise UserError(f"{path} cannot be used: {shortened(str(error))}") from error
    names = tuple(class_names) or tuple(map(str, range(int(labels.max()) + 1)))
    return ArraySource(images, labels, names), f"{path}: {len(images)} images, {found}"


def as_images(images: np.ndarray, name: str = "x") -> tuple[np.ndarray, str]:
    """Makes images float32 [N, H, W, C] in [-1, 1].

    Args:
      images: [N, H, W, C], [N, C, H, W] or [N, H, W] of 1 or 3 channels; uint8, or floats in [0, 1]
        or, if any is negative, in [-1, 1].
      name: of the array, for messages.

    Returns:
      (the images, a line on the layout and range that were found).

    Raises:
      ValueError: if they are something else.
    """
    layout = _layout(images.shape, name)
    if layout == "NHW":
        images = images[..., np.newaxis]
    elif layout == "NCHW":
        images = images.transpose(0, 2, 3, 1)
    if images.dtype == np.uint8:
        scaled, pixels = images.astype(np.float32) / np.float32(127.5) - np.float32(1.0), "uint8"
    elif images.dtype.kind == "f":
        scaled, pixels = _scaled(images.astype(np.float32), name)
    else:
        raise ValueError(
            f"{name} is of {images.dtype}; uint8 pixels, or floats in [0, 1] or [-1, 1], are needed"
        )
    return np.ascontiguousarray(scaled), f"{layout}, {pixels}"


def as_classes(labels: np.ndarray, count: int, class_names: Sequence[str] = ()) -> np.ndarray:
    """Makes labels int32 [N].

    Args:
      labels: integers [N] or [N, 1].
      count: N.
      class_names: of which there are as many as classes; empty where that is not known.

    Raises:
      ValueError: if they are something else.
    """
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise ValueError(
            f"y is {labels.dtype} of shape {labels.shape}; the class of each of {count} images is "
            "needed, integers from 0"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (class_names and high >= len(class_names)):
        last = f" to {len(class_names) - 1} (--class_names)" if class_names else ""
        raise ValueError(f"its labels are from {low} to {high}; classes are 0{last}")
    return labels.astype(np.int32)


def _of_names(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, str]:
    for name, label in _NAMES:
        if name in arrays and label in arrays:
            return arrays[name], name
    raise ValueError(f"it holds {', '.join(arrays) or 'nothing'}; x (images) and y are needed")


def _label_name(arrays: dict[str, np.ndarray]) -> str:
    return next(label for name, label in _NAMES if name in arrays and label in arrays)


def _layout(shape: tuple[int, ...], name: str) -> str:
    if 0 in shape or len(shape) not in (3, 4):
        raise ValueError(
            f"{name} is of shape {shape}; images [N, H, W, C], [N, C, H, W] or [N, H, W] are needed"
        )
    if len(shape) == 3:
        return "NHW"
    fitting = [
        layout
        for layout, channels, sides in (
            ("NHWC", shape[3], shape[1:3]),
            ("NCHW", shape[1], shape[2:]),
        )
        if channels in _CHANNELS
    ]
    if len(fitting) == 2:
        # As of 3 x 32 x 3 pixels: square images are meant.
        fitting = ["NHWC"] * (shape[1] == shape[2]) + ["NCHW"] * (shape[2] == shape[3])
    if not fitting:
        raise ValueError(
            f"{name} is of shape {shape}: neither its second nor its last axis is of 1 or 3 "
            "channels"
        )
    return fitting[0]


def _scaled(images: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    low, high = float(images.min()), float(images.max())
    if low >= 0.0 and high <= 1.0:
        return images * np.float32(2.0) - np.float32(1.0), "floats in [0, 1]"
    if low >= -1.0 and high <= 1.0:
        return images, "floats in [-1, 1]"
    raise ValueError(
        f"{name} is of floats from {low:g} to {high:g}; uint8 pixels, or floats in [0, 1] or "
        "[-1, 1], are needed: what else a model wants is said by --input_range, --input_mean and "
        "--input_deviation"
    )
