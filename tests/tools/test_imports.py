"""Every tool can at least be started: what the package no longer offers shows here."""

import pathlib
import subprocess
import sys

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
# Run by a Python of PyTorch's, with libraries that this one lacks.
OF_PYTORCH = (
    "foolbox_worker",
    "attack_worker",
    "attack_libraries_worker",
    "autoattack_worker",
    "pytorch_crossing",
    "pytorch_discriminator",
    "pytorch_training_worker",
    "pytorch_training",
    "torch_fidelity_worker",
)
MODULES = [
    path.relative_to(TOOLS.parent).with_suffix("").as_posix().replace("/", ".")
    for path in sorted(TOOLS.rglob("*.py"))
    if not {path.stem, path.parent.name} & {*OF_PYTORCH}
]


def test_all_can_be_imported():
    # In a process of its own: absl allows a flag's name once a process, and commands of the
    # package that other tests import define some of the same names.
    lines = [f"print({name!r}, flush=True); import {name}" for name in MODULES]
    tried = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=TOOLS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, (tried.stdout.splitlines()[-1], tried.stderr)
