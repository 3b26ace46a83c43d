"""The pages of docs/reference that are written from the code, so that they cannot fall behind it.

python -m tools.reference_docs
"""

import pathlib
from collections.abc import Callable

from tools.reference_docs import choices, commands, configuration, gin_files, metrics

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "choices.md": choices.text,
    "commands.md": commands.text,
    "configuration.md": configuration.text,
    "gin_files.md": gin_files.text,
    "metrics.md": metrics.text,
}


def write_pages() -> None:
    """Writes every page."""
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text())
