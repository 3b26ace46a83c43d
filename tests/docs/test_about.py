"""CONTRIBUTING, CHANGELOG and CITATION say what is so now."""

import pathlib
import re

import robgan_tf
from tests.slow_modules import SECONDS

ROOT = pathlib.Path(__file__).parents[2]


def test_changelog_and_citation_are_of_this_version():
    version = robgan_tf.__version__
    newest = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(name for name in newest if name != "Unreleased") == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


def test_contributing_names_every_room_and_no_other():
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("| room |")[2].partition("\n\n")[0]
    first_cells = [row.split("|")[1] for row in table.splitlines()[2:]]
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)/`", cell)}
    rooms = {path.parent.name for path in (ROOT / "robgan_tf").glob("*/__init__.py")}
    assert named == rooms - {"gin"}


def test_slow_files_of_tests_exist():
    assert [name for name in SECONDS if not (ROOT / name).exists()] == []
