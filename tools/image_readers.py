"""Compares the readers of image files and writes docs/results/readers/README.md.

    python -m tools.image_readers

Training, evaluation and an exported model in TensorFlow's C++ loader read small images in many
encodings, which are made up on the spot.
"""

import pathlib
import sys
import tempfile
from collections.abc import Mapping

from robgan_tf.cli import start as command
from tools.readers.compare import ROOT, Seen, compare_readers
from tools.readers.encodings import encodings

PAGE = ROOT / "docs" / "results" / "readers" / "README.md"
SIDE = 24
_HEAD = """# Image files by three readers

Training, evaluation and an exported model have to show a network the same pixels of a file, or all
refuse it. `python -m tools.image_readers` encodes made-up images of odd sizes and reads each as
training batches, as evaluation batches, and by `classify_bytes` of an exported classifier in
TensorFlow's C++ loader, in a process without TensorFlow's Python. Numbers are the largest
difference of a pixel to what training sees, of 255 levels, in RGB and in grayscale, at 24 x 24.
`tests/serving/test_readers.py` holds them to 0.

"""


def page(colour: Mapping[str, Seen], gray: Mapping[str, Seen]) -> str:
    """The page as Markdown: what was seen in RGB and in grayscale, by the name of the encoding."""
    lines = ["| encoding | evaluation | C++ loader |", "|---|---|---|"]
    for name, seen in colour.items():
        if seen.training is None:
            cells = ["refused" if x is None else "**read**" for x in seen.readers[1:]]
            lines.append(f"| {name} | training refuses: {cells[0]} | {cells[1]} |")
            continue
        pairs = zip(seen.differences(), gray[name].differences(), strict=True)
        lines.append(f"| {name} | " + " | ".join(f"{a}, {b}" for a, b in pairs) + " |")
    return _HEAD + "\n".join([*lines, ""])


def main() -> int:
    """Compares, and writes the page."""
    files = encodings()
    with tempfile.TemporaryDirectory() as folder:
        colour, gray = (
            compare_readers(files, SIDE, channels, pathlib.Path(folder, str(channels)))
            for channels in (3, 1)
        )
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(colour, gray))
    wrong = [name for seen in (colour, gray) for name, one in seen.items() if not one.agrees]
    print(f"{len(files)} encodings, {len(wrong)} in which the readers differ: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(command.finish(main))
