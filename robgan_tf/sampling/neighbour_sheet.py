"""A picture of samples beside their nearest training images."""

from collections.abc import Sequence

import numpy as np

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

_SMALL_FONT_SIZE = 12
_LINE_HEIGHT = 20
_SMALLEST_TILE = 96  # pixels; captions need them
_ROWS = 10  # more samples continue in a further block on the right
_MARGIN = 14  # pixels between samples and neighbours


def neighbour_sheet(
    samples: np.ndarray,
    neighbours: np.ndarray,
    captions: Sequence[Sequence[str]],
    row_names: Sequence[str],
    headline: Sequence[str],
) -> np.ndarray:
    """Lays out a sample a row, its neighbours on the right with a caption below each.

    After 10 rows a further block starts on the right.

    Args:
      samples: uint8 [R, H, W, C] in [0, 255], C 1 or 3.
      neighbours: uint8 [R, k, H, W, C] likewise.
      captions: R lists of k texts.
      row_names: R texts, for the left.
      headline: list of lines above everything.

    Returns:
      uint8 [h, w, 3].
    """
    factor = -(-_SMALLEST_TILE // samples.shape[1])
    left = _captioned(samples[:, None], [["generated"]] * len(samples), factor)
    right = _captioned(neighbours, captions, factor)
    space = np.full((len(left), _MARGIN, 3), BACKGROUND, np.uint8)
    row_height = (len(left) - GAP) // len(samples)
    rows = np.hstack([name_column(row_names, row_height - GAP), left, space, right])
    blocks = [
        rows[first : first + _ROWS * row_height + GAP]
        for first in range(0, len(left) - GAP, _ROWS * row_height)
    ]
    body = np.hstack([pad_to(block, len(blocks[0]), 0) for block in blocks])
    width = max(body.shape[1], *(text_width(line, FONT_SIZE) for line in headline))
    above = [text_box(line, _LINE_HEIGHT, width, FONT_SIZE, "left") for line in headline]
    return np.vstack([*above, pad_to(body, 0, width)])


def _captioned(images: np.ndarray, captions: Sequence[Sequence[str]], factor: int) -> np.ndarray:
    """A grid of uint8 [R, n, H, W, C] with captions [R][n] below the images."""
    tiles = magnify(to_rgb(images), factor)
    width = tiles.shape[3]
    boxes = [
        [text_box(text, _LINE_HEIGHT, width, _SMALL_FONT_SIZE, "center") for text in row]
        for row in captions
    ]
    return tile_grid(np.concatenate([tiles, np.array(boxes)], axis=2))
