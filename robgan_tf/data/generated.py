"""Images that some generator has made, stored as an npz, as class folders or as one folder.

The npz form is that of the robust-training community: `image` uint8 [N, H, W, C] and `label` [N].
What the sample command has written says besides what made it.
"""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from robgan_tf.data.datasets.image_folder import FolderSource, load_class_folders, load_flat_folder
from robgan_tf.data.sources import ImageSource, InMemorySource, resize_antialiased
from robgan_tf.errors import UserError
from robgan_tf.files import read_npz
from robgan_tf.typing import PathLike

MADE_BY = "made_by"  # array of an npz: JSON with the "classes" of the generator


@dataclasses.dataclass(frozen=True)
class GeneratedImages:
    """Stored images, opened.

    Attributes:
      source: ImageSource of them.
      has_classes: whether labels mean anything: not where the generator has no classes, or where
        the images are in one folder; all labels are 0 then.
      size: (height, width) of the images of an npz, None of files.
    """

    source: ImageSource
    has_classes: bool
    size: tuple[int, int] | None

    def other_sizes(self) -> list[tuple[int, int]]:
        """Sorted (height, width) in which images are stored that are resized when fetched."""
        source = self.source
        if isinstance(source, FolderSource):
            sizes = source.picture_sizes()
        else:
            sizes = set() if self.size is None else {self.size}
        return sorted(sizes - {(source.resolution, source.resolution)})


def load_generated_images(
    path: PathLike, class_names: Sequence[str], *, resolution: int, channels: int
) -> GeneratedImages:
    """Opens stored images.

    Args:
      path: an npz file, a folder of class folders named as the classes of the data, or a folder
        of image files.
      class_names: classes of the data; the labels of an npz are indices into them.
      resolution: side of the images wanted; others are resized.
      channels: 1 or 3.

    Returns:
      GeneratedImages.

    Raises:
      UserError: if they cannot be used as asked.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        has_classes = any(x.is_dir() and not x.name.startswith(".") for x in path.iterdir())
        load = load_class_folders if has_classes else load_flat_folder
        files = load(path, class_names, resolution=resolution, channels=channels)
        return GeneratedImages(files, has_classes, None)
    if not path.is_file():
        raise UserError(f"generated images {path} do not exist (--generated)")
    arrays = _arrays(path)
    images, labels = arrays["image"], arrays["label"]
    _check_arrays(path, images, labels, len(class_names), channels)
    height, width = images.shape[1:3]
    if (height, width) != (resolution, resolution):
        images = np.concatenate(
            [
                resize_antialiased(tf.constant(part), resolution).numpy()
                for part in np.array_split(images, -(-len(images) // 1000))
            ]
        )
    source = InMemorySource(images, labels, class_names, resolution)
    return GeneratedImages(source, _has_classes(path, arrays.get(MADE_BY)), (height, width))


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        arrays = read_npz(path)
    except ValueError as error:
        raise UserError(f"{path} cannot be read as npz: {error} (--generated)") from error
    for name in ("image", "label"):
        if name not in arrays:
            raise UserError(
                f"{path} lacks the array {name!r} (it holds {', '.join(arrays)}): generated images "
                "are `image` uint8 [N, H, W, C] and `label` [N]"
            )
    return arrays


def _has_classes(path: PathLike, made_by: np.ndarray | None) -> bool:
    if made_by is None:
        return True
    try:
        return bool(json.loads(str(made_by))["classes"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: {MADE_BY!r} does not say what made the images") from error


def _check_arrays(
    path: PathLike, images: np.ndarray, labels: np.ndarray, num_classes: int, channels: int
) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != channels:
        raise UserError(
            f"{path}: `image` is {images.dtype} {list(images.shape)}, and uint8 [N, H, W, "
            f"{channels}] is needed"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise UserError(
            f"{path}: `label` is {labels.dtype} {list(labels.shape)}, and one whole number for "
            f"each of {len(images)} images is needed"
        )
    if not len(images) or labels.min() < 0 or labels.max() >= num_classes:
        found = f"from {labels.min()} to {labels.max()}" if len(labels) else "of no image"
        raise UserError(f"{path}: labels {found}; the data has the classes 0 to {num_classes - 1}")
