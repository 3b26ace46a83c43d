"""Tiles and text: what picture sheets are made of."""

import re
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from robgan_tf.reporting.lettering import lettering

GAP = 2  # pixels between tiles and around them
BACKGROUND = 224  # light gray, so that the border of a white or a mid gray tile is seen
FONT_SIZE = 13
_LONGEST_NAME = 200  # pixels; a longer name is wrapped
_TEXT_MARGIN = 6  # pixels left and right of a text
_BLACK = (0, 0, 0)


def magnify(tiles: np.ndarray, factor: int) -> np.ndarray:
    """Repeats every pixel of [..., H, W, C] `factor` times down and across."""
    return tiles.repeat(factor, axis=-3).repeat(factor, axis=-2)


def to_rgb(tiles: np.ndarray) -> np.ndarray:
    """Repeats the channel of grayscale [..., H, W, 1]; leaves [..., H, W, 3] alone.

    Raises:
      ValueError: if there are neither 1 nor 3 channels.
    """
    if tiles.shape[-1] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels, not {tiles.shape[-1]}")
    return np.broadcast_to(tiles, (*tiles.shape[:-1], 3))


def tile_grid(tiles: np.ndarray) -> np.ndarray:
    """Lays out tiles on the background, GAP pixels apart and from the border.

    Args:
      tiles: uint8 [rows, columns, H, W, 3].

    Returns:
      uint8 [rows * (H + GAP) + GAP, columns * (W + GAP) + GAP, 3].
    """
    rows, columns, height, width, _ = tiles.shape
    cells = np.full((rows, columns, height + GAP, width + GAP, 3), BACKGROUND, np.uint8)
    cells[:, :, GAP:, GAP:] = tiles
    sheet = cells.swapaxes(1, 2).reshape(rows * (height + GAP), columns * (width + GAP), 3)
    return pad_to(sheet, sheet.shape[0] + GAP, sheet.shape[1] + GAP)


def pad_to(sheet: np.ndarray, height: int, width: int) -> np.ndarray:
    """Adds background below and on the right of uint8 [h, w, 3] up to the given size.

    Args:
      sheet: uint8 [h, w, 3].
      height: at least this many rows.
      width: at least this many columns.
    """
    missing = ((0, max(0, height - sheet.shape[0])), (0, max(0, width - sheet.shape[1])), (0, 0))
    return np.pad(sheet, missing, constant_values=BACKGROUND)


def text_width(text: str, font_size: int) -> int:
    """Pixels that one line of text needs, with a margin on either side."""
    return _width(*lettering(text, font_size))


def text_box(text: str, height: int, width: int, font_size: int, align: str) -> np.ndarray:
    """Draws text in the middle of an empty box, wrapped, shortened if it must be.

    Args:
      text: what to write.
      height: height of the box in pixels, enough for one line.
      width: width of the box in pixels.
      font_size: size of the letters in pixels.
      align: "left", "center" or "right".

    Returns:
      uint8 [height, width, 3].
    """
    text, font = lettering(text, font_size)
    line_height = sum(font.getmetrics())
    lines = _wrap(text, width, font, max_lines=max(1, (height - 2 * GAP) // line_height))
    box = Image.new("RGB", (width, height), (BACKGROUND, BACKGROUND, BACKGROUND))
    draw = ImageDraw.Draw(box)
    x, anchor = {
        "left": (_TEXT_MARGIN, "lm"),
        "center": (width / 2, "mm"),
        "right": (width - _TEXT_MARGIN, "rm"),
    }[align]
    first_y = (height - (len(lines) - 1) * line_height) / 2
    for number, line in enumerate(lines):
        draw.text((x, first_y + number * line_height), line, _BLACK, font, anchor)
    return np.array(box)


def name_column(names: Sequence[str], tile_height: int) -> np.ndarray:
    """Draws one name beside every row of a tile_grid.

    Args:
      names: a text for every row; long ones are wrapped.
      tile_height: of the grid's tiles, in pixels.

    Returns:
      uint8 [height of the grid, w, 3].
    """
    width = min(_LONGEST_NAME, max(text_width(name, FONT_SIZE) for name in names))
    boxes = [text_box(name, tile_height, width, FONT_SIZE, "right") for name in names]
    return tile_grid(np.stack(boxes)[:, np.newaxis])[:, GAP:-GAP]


def _width(text: str, font: ImageFont.FreeTypeFont) -> int:
    return int(np.ceil(font.getlength(text))) + 2 * _TEXT_MARGIN


def _wrap(text: str, width: int, font: ImageFont.FreeTypeFont, max_lines: int) -> list[str]:
    lines = [""]
    for word in re.split(r"[ \t\n]+", text.strip()):  # not at a no-break space
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or _width(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], " ".join(lines[max_lines - 1 :])]
    # The font has no glyph for the no-break space.
    lines = [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
    return [_shorten(line, width, font) for line in lines]


def _shorten(line: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    if _width(line, font) <= width:
        return line
    while line and _width(line + "...", font) > width:
        line = line[:-1]
    return line.rstrip() + "..."
