"""The table of image quality in docs/reference/metrics.md, from the measures' own words."""

import pathlib
import re

from robgan_tf.choices import MEASURES
from robgan_tf.reporting.markdown import table

PATH = pathlib.Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
_BLOCK = re.compile("(<!-- measures -->\n).*?(<!-- end of measures -->)", re.DOTALL)


def text() -> str:
    """Returns the page as it is, with the table between the two marks written anew."""
    rows = [
        (f"`{kind}/*`", number.meaning, number.better or "")
        for name in MEASURES.shipped()
        for kind, number in MEASURES.get(name).numbers.items()
    ]
    written = "\n".join([*table(["name", "meaning", "better"], rows), ""])
    return _BLOCK.sub(lambda match: match[1] + written + match[2], PATH.read_text())
