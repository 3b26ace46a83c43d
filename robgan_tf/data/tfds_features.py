"""What the features of a dataset of TensorFlow Datasets have to be."""

from typing import Any

import numpy as np

from robgan_tf.errors import UserError


def class_names_of(name: str, features: Any) -> tuple[str, ...]:
    """The names of the classes of a classification dataset.

    Args:
      name: of the dataset.
      features: its features, by name.

    Raises:
      UserError: if it has no image, or not one class label each.
    """
    import tensorflow_datasets as tfds

    missing = [key for key in ("image", "label") if key not in features]
    if missing:
        raise UserError(
            f"the dataset {name} has no feature {missing[0]!r} (it has {', '.join(features)}): "
            "choose a classification dataset with 'image' and 'label'"
        )
    label = features["label"]
    if not isinstance(label, tfds.features.ClassLabel):
        raise UserError(
            f"the 'label' of the dataset {name} is a {_kind(label)}, and one class label for each "
            "image is needed: choose a classification dataset"
        )
    return tuple(label.names)


def is_text(feature: Any) -> bool:
    """Says whether a feature is one text, or one string of bytes."""
    return feature.shape == () and feature.np_dtype == np.object_


def check_images(name: str, feature: Any, channels: int) -> None:
    """Checks that images are of 8 bits, and of the wanted channels or files that can be made so.

    Args:
      name: of the dataset.
      feature: its feature "image".
      channels: 1 or 3.

    Raises:
      UserError: if they are not.
    """
    import tensorflow_datasets as tfds

    # Texts, class labels and sound are tensors too.
    is_tensor = type(feature) is tfds.features.Tensor
    if not is_tensor and not isinstance(feature, tfds.features.Image):
        raise UserError(
            f"the 'image' of the dataset {name} is a {_kind(feature)}, and one image is needed: "
            "choose another dataset"
        )
    if feature.np_dtype != np.uint8:
        raise UserError(
            f"the images of the dataset {name} are {np.dtype(feature.np_dtype).name}, not uint8: "
            "store them as 8-bit images, or as files for the dataset image_folder"
        )
    if len(feature.shape) != 3:
        raise UserError(
            f"the images of the dataset {name} have the shape {list(feature.shape)}, and "
            "[height, width, channels] is needed"
        )
    found = feature.shape[-1]
    # Files are converted, those of one kind in which channels are known excepted.
    convertible = () if is_tensor else (None, 4)
    if found == channels or found in convertible:
        return
    if found in (1, 3):
        remedy = f"but data.channels is {channels}: set data.channels to {found}"
    else:
        remedy = "and 1 or 3 are needed: choose another dataset"
    raise UserError(f"the images of the dataset {name} have {found} channels, {remedy}")


def _kind(feature: Any) -> str:
    return type(feature).__name__
