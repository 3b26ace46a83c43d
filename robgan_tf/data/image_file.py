"""Reads one image file: decode, turn upright, convert, crop, resize.

`decoding` does the same to encoded images within a graph, for exported models: what either reads
of a file must be the same pixels, and what one refuses the other has to refuse.
"""

import io
import math
import os
import pathlib
import struct
import zlib
from collections.abc import Sequence
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from robgan_tf.data.decoding.bmp import BITS, HEADER_SIZES
from robgan_tf.data.decoding.bounds import MOST_PIXELS, TOO_LARGE
from robgan_tf.data.decoding.jpeg import DRAFT_MARGIN
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

# Pillow's names of the formats that exported models decode; MPO are JPEG files of several pictures.
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP")
# Endings of their files.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".bmp", ".webp",
)  # fmt: skip
READABLE = "JPEG, PNG, GIF, BMP and WebP"

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
# Eight bytes a pixel, and room for what else a file holds.
_MOST_BYTES = 8 * MOST_PIXELS + 2**26
Box = tuple[float, float, float, float]


def picture_size(path: PathLike) -> tuple[int, int] | None:
    """(height, width) of an image file as it is stored; None if its header cannot be read."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except DECODE_ERRORS:
        return None


def read_image(
    file: PathLike | IO[bytes], resolution: int, channels: int, box: Sequence[float] | None = None
) -> np.ndarray:
    """Reads an image as a square of a given size.

    The picture is turned upright by its EXIF orientation. Shown is the centre square as wide as
    the shorter side, or the part `box` of that square, resized with PIL's antialiased bicubic
    filter. Transparent images are laid over white.

    Args:
      file: a file, or its path, of one of the formats that `READABLE` names, whatever its ending.
      resolution: side of the result in pixels.
      channels: 1 for grayscale, 3 for RGB.
      box: None, or y0, x0, y1, x1 as fractions of the centre square, in [0, 1].

    Returns:
      uint8 array `[resolution, resolution, channels]`.

    Raises:
      One of `DECODE_ERRORS`: the file is not a readable image.
    """
    picture = read_picture(file, channels, resolution, box)
    left, top, right, bottom = corners(picture, box)
    # Columns, then rows: by itself PIL takes the one or the other first, not the same in every
    # version, and rounds in between.
    across = (left, 0, right, picture.height)
    down = (0, top, resolution, bottom)
    columns = picture.resize((resolution, picture.height), Image.Resampling.BICUBIC, box=across)
    resized = columns.resize((resolution, resolution), Image.Resampling.BICUBIC, box=down)
    return np.asarray(resized).reshape(resolution, resolution, channels)


def read_picture(
    file: PathLike | IO[bytes], channels: int, side: int, box: Sequence[float] | None = None
) -> Image.Image:
    """Reads an image whole and upright, over white.

    Args:
      file: as `read_image` takes it.
      channels: 1 for grayscale, 3 for RGB.
      side: that its shorter side, or `box` of its centre square, will be brought to: a large JPEG
        file is decoded no larger than that needs.
      box: as `read_image` takes it.

    Returns:
      The picture, of mode "L" or "RGB".

    Raises:
      One of `DECODE_ERRORS`: the file is not a readable image.
    """
    mode = "L" if channels == 1 else "RGB"
    data = _content(file) if isinstance(file, (str, os.PathLike)) else file.read()
    with _opened(data) as image:
        _check_format(image, data)
        load_for(image, mode, side, box)
        if image.format == "PNG":
            _mend_transparency(image, data)
        opened = _cmyk_as_rgb(image) if image.mode == "CMYK" else image
        return _upright(in_mode(opened, mode), image.info.get("exif", b""))


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        # Its own message names the buffer by its address in memory.
        raise UnidentifiedImageError("it is no image of a known format") from error


def load_for(image: Image.Image, mode: str, resolution: int, box: Sequence[float] | None) -> None:
    """Decodes an opened image, a large JPEG no larger than its part `box` needs."""
    if image.mode in ("L", "RGB", "YCbCr"):
        y0, x0, y1, x1 = box_or_whole(box)
        needed = math.ceil(DRAFT_MARGIN * resolution / min(y1 - y0, x1 - x0))
        image.draft(mode, (needed, needed))  # only JPEG files follow this
    image.load()


def corners(picture: Image.Image, box: Sequence[float] | None) -> Box:
    """Left, top, right and bottom of the part `box` of a picture's centre square, in pixels."""
    y0, x0, y1, x1 = box_or_whole(box)
    side = min(picture.size)
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    return left + x0 * side, top + y0 * side, left + x1 * side, top + y1 * side


def box_or_whole(box: Sequence[float] | None) -> Box:
    """A box as floats; that of the whole square where there is none."""
    y0, x0, y1, x1 = (0.0, 0.0, 1.0, 1.0) if box is None else map(float, box)
    return y0, x0, y1, x1


def _content(path: PathLike) -> bytes:
    """The bytes of a file; not of what has no end, or is larger than any image that is read."""
    if not os.path.isfile(path):
        raise OSError("there is no file of this name" if not os.path.exists(path) else "no file")
    size = os.path.getsize(path)
    if size > _MOST_BYTES:
        raise ValueError(f"a file of {size} bytes is larger than any image that is read")
    return pathlib.Path(path).read_bytes()


def _check_format(image: Image.Image, data: bytes) -> None:
    """Refuses what `decoding` refuses."""
    if image.format not in _FORMATS:
        raise ValueError(
            f"{image.format} files are not read, because exported models could not: convert it to "
            "PNG"
        )
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(TOO_LARGE)
    if image.format == "PNG" and b"IEND" not in data:
        raise ValueError("the PNG file has no end")
    if image.format == "BMP":
        header_size, bits, compression = (
            int.from_bytes(data[at:end], "little") for at, end in ((14, 18), (28, 30), (30, 34))
        )
        if header_size not in HEADER_SIZES or bits not in BITS or compression != 0:
            raise ValueError("a BMP file must be uncompressed, of 1, 4, 8, 24 or 32 bits a pixel")


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Converts a loaded image to 8-bit grayscale ("L") or "RGB", over white."""
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


def _mend_transparency(image: Image.Image, data: bytes) -> None:
    """Puts the one transparent level or colour of a PNG file into the units of its pixels."""
    depth, kind = data[24], data[25]
    if "transparency" not in image.info or kind not in (0, 2):
        return
    if depth == 16 and kind == 2:
        raise ValueError("a PNG file of 16 bits a colour with a transparent colour is not decoded")
    if depth in (2, 4):
        # PIL scales the levels and not the transparent one.
        image.info["transparency"] *= 255 // (2**depth - 1)


def _cmyk_as_rgb(image: Image.Image) -> Image.Image:
    """Ink to light as TensorFlow's decoder has it; PIL's formula is a level off here and there."""
    light = 255 - np.asarray(image).astype(np.uint16)
    return Image.fromarray((light[..., :3] * light[..., 3:] // 255).astype(np.uint8))


def _upright(picture: Image.Image, exif: bytes) -> Image.Image:
    transposition = _TRANSPOSITIONS.get(exif_orientation(exif))
    return picture if transposition is None else picture.transpose(transposition)


def exif_orientation(exif: bytes) -> int:
    """Reads the orientation out of EXIF data, a small TIFF file.

    By itself, since PIL would look into XMP too, which exported models do not.

    Args:
      exif: the data, with or without its heading.

    Returns:
      From 0 to 65535, 0 where there is none; from 1 to 8 it means something.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"MM\0*": ">", b"II*\0": "<"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 0
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    if len(exif) < start + 2:
        return 0
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    found = [0]
    entries = exif[start + 2 : start + 2 + 12 * count]
    for place in range(0, len(entries) - 11, 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", entries, place)
        if tag == _ORIENTATION and kind == 3:  # an unsigned short
            found.append(value)
    return max(found)
