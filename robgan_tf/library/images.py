"""Images and labels that callers give, made what the networks take, or refused."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from robgan_tf.errors import UserError


def as_floats(images: npt.ArrayLike, image_shape: Sequence[int] | None = None) -> np.ndarray:
    """Makes images what the networks take.

    Args:
      images: [N, H, W, C]: floats in [-1, 1], or uint8 pixels, which are scaled to that.
      image_shape: (H, W, C) that is needed; None for any.

    Returns:
      float32 [N, H, W, C] in [-1, 1].

    Raises:
      UserError: if they are of another type, shape or range.
    """
    images = np.asarray(images)
    _check_shape(images, image_shape)
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    if images.dtype.kind != "f":
        raise UserError(f"images are {images.dtype}: give floats in [-1, 1], or uint8 pixels")
    if not np.isfinite(images).all():
        raise UserError("images hold infinite or NaN pixels")
    lowest, highest = (float(edge(images, initial=0.0)) for edge in (np.min, np.max))
    if lowest < -1.0 or highest > 1.0:
        raise UserError(
            f"images are floats from {lowest:g} to {highest:g}: scale them to [-1, 1] (p / 127.5 - "
            "1 of a byte p), or give uint8 pixels"
        )
    return images.astype(np.float32)


def as_labels(labels: npt.ArrayLike, num_classes: int | None = None) -> np.ndarray:
    """Makes labels int32 [N].

    Args:
      labels: [N] integers from 0.
      num_classes: of which there are so many; None where that is not known.

    Raises:
      UserError: if they are something else.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(
            f"labels are {labels.dtype} of shape {labels.shape}: give [N] integers, the class of "
            "each image"
        )
    lowest, highest = (int(edge(labels, initial=0)) for edge in (np.min, np.max))
    if lowest < 0 or (num_classes is not None and highest >= num_classes):
        last = "" if num_classes is None else f" to {num_classes - 1}"
        raise UserError(f"labels from {lowest} to {highest} were given; classes are 0{last}")
    return labels.astype(np.int32)


def _check_shape(images: np.ndarray, image_shape: Sequence[int] | None) -> None:
    wanted = "N, H, W, C" if image_shape is None else f"N, {', '.join(map(str, image_shape))}"
    if images.ndim == 4 and (image_shape is None or images.shape[1:] == tuple(image_shape)):
        return
    one = ": a single image needs a first axis, images[None]" if images.ndim == 3 else ""
    raise UserError(f"images are of shape {images.shape} and [{wanted}] is needed{one}")
