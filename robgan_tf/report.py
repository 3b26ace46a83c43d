"""Makes a page of one run, to send to somebody who has nothing else.

    python -m robgan_tf.report --run_dir=runs/quickstart

writes report.html, one file that needs no network and can be read on a phone, and report.md with
its pictures beside it: configuration, curves, sheets, attacked images, what was measured, time,
memory, machine and the command.
"""

import sys
from collections.abc import Sequence

from robgan_tf.cli import start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.errors import UserError


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    parser.group("Which run, and where to")
    parser.flag(
        "run_dir",
        "The run: its directory, its archive, or a record of `robgan-tf record`.",
        values.path,
        form="DIR",
    )
    parser.flag(
        "output_dir",
        "Where the report goes; the run directory by default, needed by archives and records.",
        values.path,
        form="DIR",
    )


def report(given: Values) -> int:
    """Makes the report as the flags say."""
    if not given.run_dir:
        raise UserError("report of which run? give --run_dir")
    # matplotlib takes a while to load: a missing flag should not have to wait for it.
    from robgan_tf.comparison.results import output_folder
    from robgan_tf.pages.run_report import run_report
    from robgan_tf.pages.run_source import read_source
    from robgan_tf.pages.write import write_page

    source = read_source(given.run_dir)
    if not given.output_dir and not source.is_directory:
        raise UserError(
            f"{given.run_dir} is a file, which nothing is written to: say where the report goes "
            "(--output_dir)"
        )
    folder = output_folder(given.output_dir or given.run_dir)
    written = write_page(folder, run_report(source))
    print(f"written: {written.html} and {written.markdown}")
    return 0


COMMAND = Command(
    "report",
    "Makes a page of one run, of either stage: report.html, one file that needs no network and can "
    "be read on a phone, and report.md. It has configuration, curves, sheets, attacked images, "
    "what was measured, time, memory, machine and the command.",
    "--run_dir=runs/quickstart",
    add_flags,
    report,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
