"""Files of pictures that replace none."""

import io
import pathlib

from PIL import Image

from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically

# GIF counts in hundredths of a second: 7 of them are the nearest to 15 frames a second.
_FRAME_MILLISECONDS = 70


def write_new(path, content):
    """Writes a file that is there whole or not at all; its directories are created.

    A file that is there already and holds just this is left alone.

    Args:
      path: the file.
      content: bytes, or text.

    Raises:
      UserError: if the file exists with other content, or cannot be written.
    """
    path = pathlib.Path(path)
    content = content.encode() if isinstance(content, str) else content
    try:
        if path.exists():
            if path.read_bytes() == content:
                return
            raise UserError(
                f"{path} exists already and holds something else: remove it, or give another "
                "--output_dir"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise cannot_be_written(path, error) from error


def cannot_be_written(path, error):
    """The UserError for an OSError on writing a file."""
    return UserError(f"{path} cannot be written: {error.strerror or error} (--output_dir)")


def png(image):
    """Encodes uint8 [H, W, C] in [0, 255], C 1 or 3, as the bytes of a PNG."""
    encoded = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(encoded, "PNG")
    return encoded.getvalue()


def back_and_forth_gif(frames):
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
