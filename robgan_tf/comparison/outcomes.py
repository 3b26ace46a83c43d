"""Which images a classifier withstood, small enough for a record: a bit an image.

Two records whose images are the same can be compared image by image
(`robustness.paired`), which accuracies alone do not allow.
"""

import base64
import csv
import pathlib

import numpy as np

from robgan_tf.errors import UserError, one_line
from robgan_tf.files import digest
from robgan_tf.json_file import MEASURE_ANEW
from robgan_tf.typing import JsonObject

KEY = "outcomes"
_COLUMN = "fooled_by_"


def read_outcomes(path: pathlib.Path) -> JsonObject:
    """Reads what an evaluation has written of each image.

    Args:
      path: its `_samples.csv`.

    Returns:
      Dict: "count" of images, "images", which tells them from others, and "withstood", a dict from
      radius to the bits as text.

    Raises:
      UserError: if it cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        names = [name for name in header if name.startswith(_COLUMN)]
        identity = [columns[name] for name in ("index", "id", "label")]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({one_line(error)}): {MEASURE_ANEW}") from error
    return {
        "count": len(rows),
        "images": digest("\n".join(" ".join(x) for x in zip(*identity, strict=True)).encode()),
        "withstood": {name.removeprefix(_COLUMN): _packed(columns[name]) for name in names},
    }


def withstood(outcomes: JsonObject, radius: float) -> np.ndarray | None:
    """Which images a classifier withstood at a radius, bool [count]; None where not recorded."""
    packed = outcomes["withstood"].get(f"{radius:g}")
    if packed is None:
        return None
    bits = np.frombuffer(base64.b64decode(packed), np.uint8)
    return np.unpackbits(bits)[: outcomes["count"]].astype(bool)


def _packed(fooled_by: tuple[str, ...]) -> str:
    """The bits of those that nothing has fooled."""
    bits = np.packbits([name == "" for name in fooled_by])
    return base64.b64encode(bits.tobytes()).decode()
