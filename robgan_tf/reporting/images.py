"""Pictures for people: sheets of samples, sheets of attacks, PNG files."""

import io
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from robgan_tf.files import write_new
from robgan_tf.reporting.drawing import (
    BACKGROUND,
    FONT_SIZE,
    GAP,
    magnify,
    name_column,
    pad_to,
    text_box,
    text_width,
    tile_grid,
    to_rgb,
)

_LINE_HEIGHT = 20  # of a headline with letters of that size
_ATTACK_ROWS = 8  # more images continue in a further block on the right


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Turns images on [-1, 1] into bytes, rounding to the nearest and clipping.

    Args:
      images: floats of any shape; -1 becomes 0 and 1 becomes 255.

    Returns:
      uint8 of the same shape.

    Raises:
      TypeError: if the images are integers, thus not on [-1, 1].
      ValueError: if a value is NaN.
    """
    images = np.asarray(images)
    if images.dtype.kind in "iub":
        raise TypeError(f"images on [-1, 1] must be floats, not {images.dtype}")
    images = images.astype(np.float32)
    if np.isnan(images).any():
        raise ValueError("images on [-1, 1] hold NaN, which has no colour")
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)


def sample_sheet(images: np.ndarray, row_names: Sequence[str]) -> np.ndarray:
    """Lays out samples in a grid, a class a row, with the names on the left.

    Images up to 40 pixels high are magnified: 2 times, or more if they would
    still be less than 40 pixels high. Long names are wrapped, and shortened
    if even the wrapped name is higher than its row.

    Args:
      images: floats [rows, columns, H, W, C] on [-1, 1], C 1 or 3.
      row_names: the name of every row.

    Returns:
      uint8 [h, w, 3]. Tiles are 2 pixels apart and from the right and lower border.

    Raises:
      TypeError: if the images are integers.
      ValueError: if the shape is another, the names are not one a row, or a
        value is NaN.
    """
    images = np.asarray(images)
    if images.ndim != 5 or images.size == 0:
        raise ValueError(f"images must be [rows, columns, H, W, C], not {list(images.shape)}")
    if len(row_names) != len(images):
        raise ValueError(f"{len(images)} rows need as many names, not {len(row_names)}")
    height = images.shape[2]
    factor = 1 if height > 40 else max(2, -(-40 // height))
    tiles = magnify(to_rgb(to_uint8(images)), factor)
    return np.hstack([name_column(row_names, tiles.shape[2]), tile_grid(tiles)])


def attack_sheet(
    originals: np.ndarray,
    attacked: np.ndarray,
    epsilon_text: str,
    captions: Sequence[str] | None = None,
) -> np.ndarray:
    """Lays out every image as original, attacked and perturbation side by side.

    The perturbation is drawn around mid gray, magnified by the factor in its
    headline so that the largest one of the sheet is black or white. Images are
    magnified to at least 96 pixels. After 8 rows a further block starts on the
    right.

    Args:
      originals: floats [N, H, W, C] on [-1, 1], C 1 or 3.
      attacked: the same images after the attack, of the same shape.
      epsilon_text: the radius of the attack, as `format_radius` writes it.
      captions: a text for every image, such as "cat -> dog", or None.

    Returns:
      uint8 [h, w, 3].

    Raises:
      TypeError: if the images are integers.
      ValueError: if shapes or numbers do not agree, or a value is NaN.
    """
    originals, attacked = np.asarray(originals), np.asarray(attacked)
    _check_attack(originals, attacked, captions)
    perturbation, factor_text = _magnified_perturbation(originals, attacked)
    triples = np.stack([to_uint8(originals), to_uint8(attacked), to_uint8(perturbation)], axis=1)
    tiles = magnify(to_rgb(triples), -(-96 // min(originals.shape[1:3])))
    headlines = ["original", "attacked", f"perturbation {factor_text}"]
    blocks = []
    for first in range(0, len(tiles), _ATTACK_ROWS):
        rows = slice(first, first + _ATTACK_ROWS)
        blocks.append(_attack_block(tiles[rows], headlines, captions and captions[rows]))
    body = np.hstack([pad_to(block, blocks[0].shape[0], 0) for block in blocks])
    title = f"attack radius {epsilon_text}"
    width = max(body.shape[1], text_width(title, FONT_SIZE))
    title_line = text_box(title, _LINE_HEIGHT + 4, width, FONT_SIZE, "left")
    return np.vstack([title_line, pad_to(body, 0, width)])


def save_png(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes a PNG file that is either complete or not there, and replaces none.

    Saving the same picture again, as a resumed run does, changes nothing.

    Args:
      path: the file; its parent directories are created.
      image: uint8 [h, w, 3], in 0..255.

    Raises:
      ValueError: if the picture has another type or shape.
      FileExistsError: if the file exists with other content; it is kept.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(
            f"a picture must be uint8 [h, w, 3], not {image.dtype} {list(image.shape)}"
        )
    write_new(path, png(image))


def png(image: np.ndarray) -> bytes:
    """Encodes uint8 [H, W, C] in [0, 255], C 1 or 3, as the bytes of a PNG."""
    encoded = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(encoded, "PNG")
    return encoded.getvalue()


def _attack_block(
    tiles: np.ndarray, headlines: list[str], captions: Sequence[str] | None
) -> np.ndarray:
    """Draws uint8 [rows, 3, H, W, 3] tiles with headlines above and captions beside."""
    tile_width = tiles.shape[3]
    boxes = [
        text_box(line, 2 * _LINE_HEIGHT, tile_width, FONT_SIZE, "center") for line in headlines
    ]
    grid = tile_grid(tiles)
    grid = np.vstack([tile_grid(np.stack(boxes)[np.newaxis])[:-GAP], grid])
    if captions is None:
        return grid
    names = name_column(captions, tiles.shape[2])
    above = np.full((len(grid) - len(names), names.shape[1], 3), BACKGROUND, np.uint8)
    return np.hstack([np.vstack([above, names]), grid])


def _magnified_perturbation(originals: np.ndarray, attacked: np.ndarray) -> tuple[np.ndarray, str]:
    difference = attacked.astype(np.float32) - originals.astype(np.float32)
    largest = np.abs(difference).max()
    if largest == 0:
        return difference, "(none)"
    factor = 1 / largest
    return difference * factor, "x\N{NO-BREAK SPACE}" + f"{factor:.1f}".removesuffix(".0")


def _check_attack(
    originals: np.ndarray, attacked: np.ndarray, captions: Sequence[str] | None
) -> None:
    if originals.ndim != 4 or originals.size == 0:
        raise ValueError(f"originals must be [N, H, W, C], not {list(originals.shape)}")
    if attacked.shape != originals.shape:
        raise ValueError(
            f"attacked must be {list(originals.shape)} like originals, not {list(attacked.shape)}"
        )
    if captions is not None and len(captions) != len(originals):
        raise ValueError(f"{len(originals)} images need as many captions, not {len(captions)}")
