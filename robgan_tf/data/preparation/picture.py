"""One image file to the file that is stored of it: upright, and no larger than training needs."""

import io
import math
from typing import NamedTuple

from PIL import Image

from robgan_tf.data.image_file import DECODE_ERRORS, read_picture
from robgan_tf.errors import one_line

# Of the resolution: the smallest crop of training, 0.8 of the area, is still as large as that.
MARGIN = 1.15
FORMATS = ("jpeg", "png")
_JPEG_QUALITY = 95
_LONGEST_JPEG = 65_500  # pixels of a side, which the encoder goes up to


class StoredForm(NamedTuple):
    """How images are stored.

    Attributes:
      side: of the shorter side in pixels; smaller images stay as they are.
      channels: 1 or 3.
      encoding: one of `FORMATS`.
    """

    side: int
    channels: int
    encoding: str


class Stored(NamedTuple):
    """What became of an image.

    Attributes:
      encoded: the bytes to store; None if it could not be read.
      reason: why not; "" if it was.
      is_small: whether its shorter side is below what was asked for.
    """

    encoded: bytes | None
    reason: str
    is_small: bool


def stored_side(resolution: int) -> int:
    """The shorter side of stored images for a resolution of training, in pixels."""
    return math.ceil(round(resolution * MARGIN, 6))


def stored_picture(data: bytes, form: StoredForm) -> Stored:
    """Makes the file that is stored of an image.

    It is turned upright by its EXIF orientation, laid over white, and made smaller with Pillow's
    antialiased bicubic filter. Of its file nothing but the pixels is kept.

    Args:
      data: an image file of a format that is read (`image_file.READABLE`), whatever its name.
      form: how it is to be stored.
    """
    try:
        picture = read_picture(io.BytesIO(data), form.channels, form.side)
    except DECODE_ERRORS as error:
        return Stored(None, one_line(error), False)
    shorter = min(picture.size)
    if shorter > form.side:
        size = tuple(max(form.side, round(x * form.side / shorter)) for x in picture.size)
        picture = picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    if form.encoding == "jpeg" and max(picture.size) > _LONGEST_JPEG:
        shape = f"{picture.width} x {picture.height} pixels"
        return Stored(None, f"{shape} are longer than a JPEG file can be", False)
    file = io.BytesIO()
    if form.encoding == "png":
        picture.save(file, "PNG")
    else:
        # Every pixel has a colour of its own: of images so small, halved colours would show, and
        # a part could not be decoded to the same pixels as the whole.
        picture.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return Stored(file.getvalue(), "", shorter < form.side)
