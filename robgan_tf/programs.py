"""Python files of a user's own, which are programs: run, and the function that is asked for."""

import importlib.util
import pathlib
import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from robgan_tf.errors import UserError, first_line
from robgan_tf.typing import PathLike

_SPEC = re.compile(r"(.+\.py)(?::(\w*))?")


def announce_program(kind: str, path: PathLike) -> None:
    """Says that what is being loaded is a program; before it runs."""
    print(f"{kind} {path}: a program, run with your rights", flush=True)


def python_spec(text: str) -> tuple[str, str | None] | None:
    """The file and the function of FILE.py:FUNCTION; None of any other text."""
    found = _SPEC.fullmatch(text)
    return None if found is None else (found[1], found[2])


def run_file(path: pathlib.Path, content: bytes, prefix: str) -> ModuleType:
    """Runs a file as a module, which may import what is beside it, now or when it is called.

    Args:
      path: where it lies.
      content: what it holds; this is what is run, whatever the file holds by now.
      prefix: of the name of the module.
    """
    spec = importlib.util.spec_from_loader(f"{prefix}_{path.stem}", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    # As for an ordinary import; dataclasses, for one, look their module up there.
    sys.modules[spec.name] = module
    # As for a script.
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.append(beside)
    exec(compile(content, str(path), "exec"), module.__dict__)
    return module


def load_function(kind: str, path: PathLike, name: str | None) -> Callable[..., Any]:
    """Runs a file and returns a function of it; says first that it is a program.

    Args:
      kind: what the function is, such as "Extractor"; for what is said.
      path: of the file.
      name: of the function.

    Raises:
      UserError: if the file cannot be read or run, or has no such function.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"the Python file {path} of the {kind.lower()} does not exist")
    if not name:
        raise UserError(f"which function of {path}? Give {path}:FUNCTION")
    announce_program(kind, path)
    try:
        module = run_file(path, path.read_bytes(), f"robgan_tf_{kind.lower()}")
    except UserError:
        raise
    # Whatever a user's program raises is the user's to mend.
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{path} cannot be imported: {type(error).__name__}: {first_line(error)}"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"{path} has no function {name}")
    return function
