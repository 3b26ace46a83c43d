"""The programs of docs/extending do what their page says: each registers a choice that fits."""

import pathlib
import re

import pytest

from robgan_tf import choices

PAGES = pathlib.Path(__file__).parents[2] / "docs" / "extending"
RECIPES = sorted(path for path in PAGES.glob("*.md") if path.stem != "index")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_program_of_a_recipe_registers_a_choice(path, monkeypatch):
    monkeypatch.setattr(choices, "_registered", {})
    programs = re.findall(r"^```python\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    for program in programs:
        exec(compile(program, path, "exec"), {"__name__": "extension"})
    registered = list(choices._registered)
    assert registered
    for folder, name in registered:
        assert f"`robgan_tf/{folder}/`" in path.read_text()
        choices.FOLDERS[folder].check_contract(name, choices.FOLDERS[folder].get(name))


def test_every_kind_of_choice_is_in_the_table_of_recipes():
    page = (PAGES / "index.md").read_text()
    assert [folder for folder in choices.FOLDERS if f"`robgan_tf/{folder}/`" not in page] == []
