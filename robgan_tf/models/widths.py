"""The table of widths that turns the one residual recipe into each of the paper's networks.

A row reads as in the paper's tables, in multiples of the base width `ch`: for a generator
"16; 8, 4, 2, 1-" is a first width of 16 ch at 4x4 and then four blocks, of which the last, marked
"-", does not change the size; for a discriminator "2, 2, 2-, 2-" is four blocks.
"""

import dataclasses
from collections.abc import Mapping

# (resolution, name) -> row. Official: the authors' code; sngan: Miyato and Koyama, 2018.
GENERATOR_WIDTHS = {
    (32, "official"): "16; 8, 4, 2, 1-",
    (32, "sngan"): "4; 4, 4, 4",
    (64, "official"): "16; 8, 4, 2, 1",
    (64, "sngan"): "16; 8, 4, 2, 1",
    (128, "official"): "8; 8, 4, 4, 2, 1",
    (128, "official_1000_classes"): "16; 16, 8, 4, 2, 1",
}
DISCRIMINATOR_WIDTHS = {
    (32, "official"): "2, 2, 2-, 2-",
    (32, "sngan"): "2, 2, 2-, 2-",
    (64, "official"): "1, 2, 4, 8, 16",
    (64, "sngan"): "1, 2, 4, 8, 16",
    (128, "official"): "1, 2, 4, 4, 8, 8-",
    (128, "official_1000_classes"): "1, 2, 4, 8, 16, 16-",
}
SMALLEST_SIZE = 4


@dataclasses.dataclass(frozen=True)
class BlockWidth:
    """Width of one residual block's output and whether the block changes the image size."""

    width: int
    resample: bool


def generator_widths(
    widths: str, resolution: int, base_width: int
) -> tuple[int, tuple[BlockWidth, ...]]:
    """Resolves a generator's row of widths.

    Args:
      widths: a name in the table above, or a row such as "4; 4, 2, 2".
      resolution: height and width of the images.
      base_width: what the row's numbers are multiplied by (`ch` in the paper's tables).

    Returns:
      The first width (at 4x4 pixels) and a tuple of `BlockWidth`.

    Raises:
      ValueError: if there is no such name for the resolution, the row cannot be read, or its
        blocks do not lead from 4x4 to the resolution.
    """
    row = _row(widths, resolution, GENERATOR_WIDTHS, "ResNetGenerator", separator=True)
    first, _, rest = row.partition(";")
    blocks = _blocks(rest, row, base_width)
    reached = SMALLEST_SIZE * 2 ** sum(block.resample for block in blocks)
    if reached != resolution:
        raise ValueError(
            f"ResNetGenerator widths {row!r} lead from 4 to {reached} pixels, not to {resolution}"
        )
    return _width(first, row, base_width), blocks


def discriminator_widths(widths: str, resolution: int, base_width: int) -> tuple[BlockWidth, ...]:
    """Resolves a discriminator's row of widths into a tuple of `BlockWidth`.

    Args and Raises are those of `generator_widths`; the row has no first width.
    """
    row = _row(widths, resolution, DISCRIMINATOR_WIDTHS, "ResNetDiscriminator", separator=False)
    blocks = _blocks(row, row, base_width)
    halvings = sum(block.resample for block in blocks)
    if resolution % 2**halvings:
        raise ValueError(
            f"ResNetDiscriminator widths {row!r} halve the size {halvings} times, which "
            f"{resolution} pixels do not allow"
        )
    return blocks


def _row(
    widths: str, resolution: int, table: Mapping[tuple[int, str], str], model: str, separator: bool
) -> str:
    if any(character.isdigit() for character in widths.partition("_")[0]):
        if (";" in widths) != separator:
            example = "4; 4, 2, 2" if separator else "2, 2, 2-, 2-"
            raise ValueError(f"{model} widths {widths!r} should read like {example!r}")
        return widths
    if (resolution, widths) not in table:
        known = ", ".join(f"{name} at {size} px" for size, name in table)
        raise ValueError(
            f"{model} has no widths {widths!r} for {resolution} px; there are {known}, "
            "or give a row of your own"
        )
    return table[resolution, widths]


def _blocks(text: str, row: str, base_width: int) -> tuple[BlockWidth, ...]:
    return tuple(
        BlockWidth(
            _width(item.strip().rstrip("-"), row, base_width), not item.strip().endswith("-")
        )
        for item in text.split(",")
    )


def _width(text: str, row: str, base_width: int) -> int:
    try:
        width = float(text) * base_width
    except ValueError:
        width = 0.0
    if width < 1 or width != int(width):
        raise ValueError(
            f"width {text.strip()!r} in {row!r} times a base width of {base_width} is not a "
            "positive whole number of channels"
        )
    return int(width)
