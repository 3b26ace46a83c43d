"""Builds the package as its users get it, and uses each kind of it from an empty folder.

    python -m tools.check_package

builds an sdist, and from it a wheel, which must hold every module and every shipped configuration
and nothing else. Wheel and editable install each go into an environment of their own, which borrows
what else is needed from the one that runs this. There the quickstart is described from an empty
folder. The build fetches setuptools from the package index; nothing else is fetched.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile

ROOT = pathlib.Path(__file__).parents[1]
SOURCE = ("robgan_tf", "gin", "pyproject.toml", "setup.py", "requirements.txt", "README.md")
_COMPILED = shutil.ignore_patterns("__pycache__")
QUICKSTART = ("--gin_file=gin/quickstart.gin", "--gin_file=gin/attacks/none.gin", "--dry_run")


def main() -> int:
    """Runs the check; returns its exit status."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # A copy: what an earlier build has left in this folder would get into the archives.
        source = folder / "source"
        source.mkdir()
        for part in (*SOURCE, "LICENSE"):
            if (ROOT / part).is_dir():
                # What Python compiles meanwhile comes and goes.
                shutil.copytree(ROOT / part, source / part, ignore=_COMPILED)
            else:
                shutil.copy(ROOT / part, source / part)
        _run(sys.executable, "-m", "build", "--outdir", folder / "built", source)
        (wheel,) = (folder / "built").glob("*.whl")
        print(f"{wheel.name}, built from the sdist: {_check_files(wheel)} files")
        _use("wheel", [wheel], folder / "wheel")
        _use("editable install", ["--editable", source], folder / "editable")
    return 0


def _check_files(wheel: pathlib.Path) -> int:
    """Counts the files of the wheel; stops unless it has exactly those it should have."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("robgan_tf/**/*.py")}
    shipped = {
        "robgan_tf/" + path.relative_to(ROOT).as_posix() for path in ROOT.glob("gin/**/*.gin")
    }
    lists = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("robgan_tf/**/*.txt")}
    different = packed ^ (modules | shipped | lists | {"robgan_tf/py.typed"})
    if different:
        sys.exit(f"{wheel.name} and this folder differ in {', '.join(sorted(different))}")
    return len(packed)


def _use(kind: str, what: list, environment: pathlib.Path) -> None:
    """Installs the package into a new environment and describes the quickstart there."""
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", *what)
    (site,) = environment.glob("lib/python*/site-packages")
    # Last on the path, and without its .pth files: the package itself is never borrowed.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    empty = environment / "empty"
    empty.mkdir()
    configurations = _run(environment / "bin" / "robgan-tf", "configs", cwd=empty)
    described = _run(environment / "bin" / "robgan-tf", "train", *QUICKSTART, cwd=empty)
    if "gin/quickstart.gin" not in configurations or "train.steps = 1200" not in described:
        sys.exit(f"the {kind} says:\n{configurations}{described}")
    if any(empty.iterdir()):
        sys.exit(f"the {kind} has left files behind: {sorted(empty.iterdir())}")
    print(f"{kind}: lists its configurations and describes the quickstart from an empty folder")


def _run(*command: object, cwd: pathlib.Path | None = None) -> str:
    """Runs a command; returns what it prints, or stops with it if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if process.returncode:
        said = process.stdout + process.stderr
        sys.exit(f"{' '.join(map(str, command))} exits with {process.returncode}:\n{said}")
    return process.stdout


if __name__ == "__main__":
    sys.exit(main())
