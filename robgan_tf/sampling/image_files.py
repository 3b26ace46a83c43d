"""Files of pictures that replace none."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from robgan_tf.errors import UserError
from robgan_tf.files import OtherContentError, write_new
from robgan_tf.typing import PathLike

# GIF counts in hundredths of a second: 7 of them are the nearest to 15 frames a second.
_FRAME_MILLISECONDS = 70


def write_result(path: PathLike, content: bytes | str) -> None:
    """Writes a file as `files.write_new` does.

    Args:
      path: the file.
      content: bytes, or text.

    Raises:
      UserError: if the file exists with other content, or cannot be written.
    """
    try:
        write_new(path, content)
    except OtherContentError as error:
        raise UserError(f"{error}: remove it, or give another --output_dir") from error
    except OSError as error:
        raise cannot_be_written(path, error) from error


def cannot_be_written(path: PathLike, error: OSError) -> UserError:
    """The UserError for an OSError on writing a file."""
    return UserError(f"{path} cannot be written: {error.strerror or error} (--output_dir)")


def back_and_forth_gif(frames: Sequence[np.ndarray]) -> bytes:
    """Encodes frames as an endless animation that runs forwards, then backwards.

    Args:
      frames: list of uint8 [h, w, 3] in [0, 255], at least 2.

    Returns:
      The bytes of a GIF of about 15 frames a second.
    """
    pictures = [Image.fromarray(frame) for frame in [*frames, *frames[-2:0:-1]]]
    encoded = io.BytesIO()
    pictures[0].save(
        encoded,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=_FRAME_MILLISECONDS,
        loop=0,
    )
    return encoded.getvalue()
