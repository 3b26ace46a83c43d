"""What a prepared data set says of itself: preparation.json in its folder."""

import os
import pathlib

from robgan_tf.json_file import read_object
from robgan_tf.typing import PathLike

FILE_NAME = "preparation.json"


def is_prepared_for(folder: PathLike, resolution: int) -> bool:
    """Whether a data set holds upright images that are small enough to be cropped as they are.

    Args:
      folder: of its record files.
      resolution: side of the images wanted: those of less than twice that need no low-pass filter.

    Raises:
      UserError: if what it says cannot be read.
    """
    path = pathlib.Path(os.fspath(folder)) / FILE_NAME
    if not path.exists():
        return False
    side = read_object(path).get("form", [0])[0]
    return resolution <= side < 2 * resolution
