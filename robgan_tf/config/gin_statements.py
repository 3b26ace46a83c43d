"""What a gin file may say: bindings of values and macros, blocks of them, and further such files.

By itself gin imports every module that a file names, and calls what it refers to with @: whoever
hands over a gin file, or a run with its config.gin, would hand over a program. So statements are
looked at before gin acts on any.
"""

import contextlib
import io
import pathlib
import tokenize
from collections.abc import Iterator
from typing import NoReturn

from gin import config_parser
from typing_extensions import override

from robgan_tf.config import shipped
from robgan_tf.errors import UserError

# Of files that include each other.
_DEEPEST_INCLUDE = 20
_MOST_BYTES = 2**20


def check_file(path: pathlib.Path) -> None:
    """Refuses a gin file that could do more than bind values; it and all that it includes.

    Args:
      path: of the file.

    Raises:
      UserError: if it imports or refers to code, or includes a file from elsewhere.
      SyntaxError, ValueError or OSError: if it cannot be read; gin raises the same.
    """
    _check_file(path, 0)


def check_text(text: str) -> None:
    """The same of bindings that are not in a file."""
    _check(io.StringIO(text), 0)


class _Delegate(config_parser.ParserDelegate):
    """Stands for macros, and refuses references to code."""

    @override
    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> NoReturn:
        ending = "()" if evaluate else ""
        raise UserError(
            f"@{scoped_configurable_name}{ending} refers to code, and gin files hold values only: "
            "write the value"
        )

    @override
    def macro(self, macro_name: str) -> None:
        if "." in macro_name:
            raise UserError(
                f"%{macro_name} is a constant of a module: define a macro without dots, or write "
                "the value"
            )


def _check_file(path: pathlib.Path, depth: int) -> None:
    if depth > _DEEPEST_INCLUDE:
        raise UserError(f"{path} is included by what it includes, or more than {depth} files deep")
    if path.stat().st_size > _MOST_BYTES:
        raise UserError(f"{path} has more than {_MOST_BYTES} bytes: it is no gin file")
    with open(path, encoding="utf-8") as file:
        _check(file, depth)


def _check(file: io.TextIOBase, depth: int) -> None:
    with _syntax_errors():
        for statement in config_parser.ConfigParser(file, _Delegate()):
            if isinstance(statement, config_parser.ImportStatement):
                raise UserError(
                    f"{statement.format()!r} would import a module, and gin files hold values "
                    "only: remove it (a program of your own is given as --extension)"
                )
            if isinstance(statement, config_parser.IncludeStatement):
                _check_file(_included(statement.filename), depth + 1)


def _included(name: str) -> pathlib.Path:
    """Where gin finds an included file; not in a package, nor where a stranger's file points."""
    path = pathlib.PurePath(name)
    found = None if path.is_absolute() or ".." in path.parts else shipped.find(name)
    if found is None:
        raise UserError(
            f"include {name!r} is not followed: give a file below the folder you are in, or a "
            "shipped one such as 'gin/cifar10.gin'; lay any other over with a --gin_file of its own"
        )
    return found


@contextlib.contextmanager
def _syntax_errors() -> Iterator[None]:
    """The errors of Python's tokenizer that are none of syntax, as those."""
    try:
        yield
    except tokenize.TokenError as error:
        message, (line, _) = error.args
        raise SyntaxError(f"{message}, which begins before line {line}") from error
    except RecursionError as error:
        raise SyntaxError("values are nested too deeply") from error
