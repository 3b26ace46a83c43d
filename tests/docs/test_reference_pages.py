"""The pages of docs/reference are what the code says now."""

import pathlib
import re

import pytest

from tools.reference_docs import FOLDER, PAGES

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("name", PAGES)
def test_a_written_page_is_up_to_date(name):
    assert (FOLDER / name).read_text() == PAGES[name](), "run python -m tools.reference_docs"


def test_every_gin_file_is_on_its_page_with_a_purpose():
    page = (FOLDER / "gin_files.md").read_text()
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "gin").rglob("*.gin")]
    assert len(files) > 20
    for file in files:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{file}` |")]
        assert len(row.split(" | ")[1]) > 20


def test_every_path_of_the_map_from_equation_to_file_exists():
    paths = re.findall(r"`((?:robgan_tf|gin)/[^`]*)`", (FOLDER / "equations.md").read_text())
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []
