"""Lists the configurations that come with the package.

    python -m robgan_tf.configs

A gin file is given by the path shown, from any folder; a file on disk goes first.
"""

import sys
import textwrap
from collections.abc import Sequence

from robgan_tf.cli import start
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.config.shipped import headings

_WIDTH = 100


def add_flags(parser: Parser) -> None:
    """Declares the command's flags: it has none."""


def show(given: Values) -> int:
    """Prints every shipped gin file and the comment that it begins with."""
    del given
    for path, heading in headings():
        print(path)
        print(textwrap.fill(heading, _WIDTH, initial_indent="    ", subsequent_indent="    "))
    return 0


COMMAND = Command(
    "configs",
    "Lists the configurations that come with the package, each with what it says of itself. A gin "
    "file is given to --gin_file by the path shown, from any folder; a file on disk goes first.",
    "",
    add_flags,
    show,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
