"""Extensions: files of a user's own that add choices, such as a loss, to this package.

An extension is a program. It is run with the rights of the user who names it, and calls
`robgan_tf.register`. What a run was trained with is part of its configuration, by name and
content, and a copy of the file is kept in the run directory for people to read; no copy is ever
run unless somebody gives it as `--extension`.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Sequence

from robgan_tf.choices import as_owner, explain_missing, forget_owned, registered_by
from robgan_tf.errors import UserError, first_line, one_line
from robgan_tf.files import OtherContentError, write_new
from robgan_tf.programs import announce_program, run_file
from robgan_tf.typing import PathLike

# Of a run's config.json, and of the folder of copies in its directory.
CONFIG_KEY = "--extension"
FOLDER = "extensions"
_PROVIDED = "provides"


@dataclasses.dataclass(frozen=True)
class Extension:
    """A file that has been loaded.

    Attributes:
      name: of the file.
      sha256: of its content, hexadecimal.
      content: what was run.
      provides: "folder/name" of each choice that it registered.
    """

    name: str
    sha256: str
    content: bytes = dataclasses.field(repr=False)
    provides: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """Name and content in one line."""
        return f"{self.name} sha256:{self.sha256}"


def load(paths: Iterable[PathLike]) -> list[Extension]:
    """Runs files as programs, which register choices; says so for each.

    What an earlier call loaded is forgotten, so that a command has the extensions that it was
    given and no others.

    Args:
      paths: of Python files.

    Returns:
      A record of each, in the order given.

    Raises:
      UserError: if a file cannot be read or run, registers nothing, or two have one name.
    """
    forget_owned()
    loaded: list[Extension] = []
    for path in map(pathlib.Path, paths):
        if path.name in (other.name for other in loaded):
            raise UserError(
                f"--extension={path}: two extensions are called {path.name}; rename one"
            )
        loaded.append(_load(path))
    return loaded


def recorded(loaded: Sequence[Extension]) -> list[str] | None:
    """What a run's configuration holds of its extensions; None without any."""
    return [extension.identity for extension in loaded] or None


def keep_copies(run_dir: PathLike, loaded: Sequence[Extension]) -> None:
    """Keeps a copy of each extension, and what it provides, in a run directory, once.

    Raises:
      UserError: if the copies there are others.
    """
    folder = pathlib.Path(run_dir) / FOLDER
    for extension in loaded:
        facts = {"extension": extension.identity, _PROVIDED: list(extension.provides)}
        try:
            write_new(folder / extension.name, extension.content)
            write_new(folder / f"{extension.name}.json", json.dumps(facts, indent=1) + "\n")
        except OtherContentError as error:
            raise UserError(f"{error}: the run's copies of its extensions are kept") from error


def explain_choices_of(run_dir: PathLike) -> None:
    """Reads which extensions a run was made with, for the message that a choice is missing.

    It runs nothing, and says nothing where there is no run.
    """
    copies = pathlib.Path(run_dir) / FOLDER
    # What cannot be a folder's name is said elsewhere.
    found = sorted(copies.glob("*.json")) if os.path.isdir(copies) else []
    for path in found:
        try:
            facts = dict(json.loads(path.read_text()))
            extension, provided = str(facts["extension"]), list(facts[_PROVIDED])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} cannot be read: {first_line(error)}") from error
        name = extension.partition(" ")[0]
        for choice in provided:
            folder, _, choice_name = str(choice).rpartition("/")
            explain_missing(
                folder,
                choice_name,
                f"{run_dir} had it from {extension}: give --extension={name}, of which a copy is "
                f"in {path.parent}",
            )


def _load(path: pathlib.Path) -> Extension:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"--extension={path}: {error.strerror}") from error
    announce_program("Extension", path)
    owner = str(path.resolve())
    as_owner(owner, lambda: _run(path, content))
    provides = tuple(f"{folder}/{name}" for folder, name in registered_by(owner))
    if not provides:
        raise UserError(f"--extension={path} registers nothing: call robgan_tf.register in it")
    return Extension(path.name, hashlib.sha256(content).hexdigest(), content, provides)


def _run(path: pathlib.Path, content: bytes) -> None:
    try:
        run_file(path, content, "robgan_tf_extension")
    except UserError:
        raise
    # Whatever a user's program raises is the user's to mend.
    except (Exception, SystemExit) as error:
        place = _line(error, path)
        raise UserError(f"--extension={path} cannot be run: {one_line(error)}{place}") from error


def _line(error: BaseException, path: pathlib.Path) -> str:
    """Where in the file an error arose."""
    trace, number = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            number = trace.tb_lineno
        trace = trace.tb_next
    return "" if number is None else f" (line {number})"
