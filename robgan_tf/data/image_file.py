"""Reads one image file: decode, convert, crop, resize."""

import math
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from robgan_tf.typing import PathLike

# What PIL and its decoders raise for files that are broken or not images at all. OSError
# includes PIL's UnidentifiedImageError and files that cannot be opened.
DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# Large JPEGs may be decoded at 1/2, 1/4 or 1/8 of their size, which is much faster, as
# long as this many decoded pixels remain for each pixel of the result.
_DRAFT_MARGIN = 2


def picture_size(path: PathLike) -> tuple[int, int] | None:
    """(height, width) of an image file by its header; None if it has none that can be read."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except DECODE_ERRORS:
        return None


def read_image(
    path: PathLike, resolution: int, channels: int, box: Sequence[float] | None = None
) -> np.ndarray:
    """Reads an image as a square of a given size.

    The picture is the centre square as wide as the shorter side, or the part `box` of
    that square, resized with PIL's antialiased bicubic filter. Transparent images are
    laid over white.

    Args:
      path: path of a file in any format PIL reads.
      resolution: side of the result in pixels.
      channels: 1 for grayscale, 3 for RGB.
      box: None, or y0, x0, y1, x1 as fractions of the centre square, in [0, 1].

    Returns:
      uint8 array `[resolution, resolution, channels]`.

    Raises:
      One of `DECODE_ERRORS`: the file is not a readable image.
    """
    y0, x0, y1, x1 = (0.0, 0.0, 1.0, 1.0) if box is None else map(float, box)
    mode = "L" if channels == 1 else "RGB"
    with Image.open(path) as image:
        if image.mode in ("L", "RGB", "YCbCr"):
            needed = math.ceil(_DRAFT_MARGIN * resolution / min(y1 - y0, x1 - x0))
            image.draft(mode, (needed, needed))  # only JPEG files follow this
        image.load()
        picture = _convert(image, mode)
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    corners = (left + x0 * side, top + y0 * side, left + x1 * side, top + y1 * side)
    resized = picture.resize((resolution, resolution), Image.Resampling.BICUBIC, box=corners)
    return np.asarray(resized).reshape(resolution, resolution, channels)


def _convert(image: Image.Image, mode: str) -> Image.Image:
    """Converts a loaded image to 8-bit grayscale ("L") or "RGB"."""
    if image.mode.startswith("I;16"):
        # PIL would saturate 16-bit values at 255 instead of scaling them.
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode} have no known range")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert(mode)
