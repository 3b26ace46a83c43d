"""Images that some generator has made, stored as an npz or as class folders.

The npz form is that of the robust-training community: `image` uint8 [N, H, W, C] and `label` [N].
"""

import pathlib
import zipfile

import numpy as np
import tensorflow as tf

from robgan_tf.data.image_folder import load_class_folders
from robgan_tf.data.sources import InMemorySource, resize_antialiased
from robgan_tf.errors import UserError


def load_generated_images(path, class_names, *, resolution, channels):
    """Opens stored images.

    Args:
      path: an npz file, or a folder of class folders named as the classes of the data.
      class_names: classes of the data; the labels of an npz are indices into them.
      resolution: side of the images wanted; others are resized.
      channels: 1 or 3.

    Returns:
      An ImageSource.

    Raises:
      UserError: if they cannot be used as asked.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return load_class_folders(path, class_names, resolution=resolution, channels=channels)
    if not path.is_file():
        raise UserError(f"generated images {path} do not exist (--generated)")
    images, labels = _arrays(path)
    _check_arrays(path, images, labels, len(class_names), channels)
    if images.shape[1:3] != (resolution, resolution):
        images = np.concatenate(
            [
                resize_antialiased(tf.constant(part), resolution).numpy()
                for part in np.array_split(images, -(-len(images) // 1000))
            ]
        )
    return InMemorySource(images, labels, class_names, resolution)


def _arrays(path):
    try:
        with np.load(path) as stored:
            missing = [name for name in ("image", "label") if name not in stored.files]
            if missing:
                raise UserError(
                    f"{path} lacks the array {missing[0]!r} (it holds {', '.join(stored.files)}): "
                    "generated images are `image` uint8 [N, H, W, C] and `label` [N]"
                )
            return stored["image"], stored["label"]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as npz: {error} (--generated)") from error


def _check_arrays(path, images, labels, num_classes, channels):
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
