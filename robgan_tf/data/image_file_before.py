"""Reads one image file as version 0.2.0 did, for runs that were begun with it."""

import functools
from collections.abc import Sequence
from typing import IO

import numpy as np
from PIL import Image

from robgan_tf.data.image_file import corners, in_mode, load_for
from robgan_tf.typing import PathLike


@functools.cache
def _formats() -> tuple[str, ...]:
    """Pillow's formats but EPS, files of which are programs that Ghostscript would run."""
    Image.init()
    return tuple(name for name in Image.ID if name != "EPS")


def read_image_by_pillow(
    file: PathLike | IO[bytes], resolution: int, channels: int, box: Sequence[float] | None = None
) -> np.ndarray:
    """As `image_file.read_image`, but of any format of Pillow's, and as Pillow by itself has it.

    Orientation is left aside, as are slips of Pillow's that exported models do not repeat.
    Arguments, results and errors are the same.
    """
    mode = "L" if channels == 1 else "RGB"
    with Image.open(file, formats=_formats()) as image:
        load_for(image, mode, resolution, box)
        picture = in_mode(image, mode)
    size = (resolution, resolution)
    resized = picture.resize(size, Image.Resampling.BICUBIC, box=corners(picture, box))
    return np.asarray(resized).reshape(resolution, resolution, channels)
