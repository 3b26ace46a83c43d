"""JSON files of runs, read or refused in one line."""

import json
import pathlib

from robgan_tf.errors import UserError, one_line
from robgan_tf.typing import JsonObject, PathLike

# Of an evaluation.
MEASURE_ANEW = "move it away, and measure again"


def read_object(path: PathLike, advice: str = "restore it from a copy") -> JsonObject:
    """Reads the object that a file holds; changes nothing.

    Args:
      path: the file.
      advice: what to do where it is damaged.

    Raises:
      UserError: if it cannot be read or holds anything but an object.
    """
    try:
        value = json.loads(pathlib.Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        what = error.strerror if isinstance(error, OSError) else one_line(error)
        raise UserError(f"{path} cannot be read: {what}; {advice}") from error
    if not isinstance(value, dict):
        raise UserError(
            f"{path} is damaged: it holds a {type(value).__name__} and no object; {advice}"
        )
    return value
