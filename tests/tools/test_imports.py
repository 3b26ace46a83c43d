"""Every tool can at least be started: what the package no longer offers shows here."""

import importlib
import pathlib

import pytest

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
# Run by a Python of PyTorch's, with libraries that this one lacks.
OF_PYTORCH = ("foolbox_worker", "attack_libraries_worker", "pytorch_discriminator")
MODULES = [
    path.relative_to(TOOLS.parent).with_suffix("").as_posix().replace("/", ".")
    for path in sorted(TOOLS.rglob("*.py"))
    if path.stem not in OF_PYTORCH
]


@pytest.mark.parametrize("name", MODULES)
def test_can_be_imported(name):
    assert importlib.import_module(name).__name__ == name
