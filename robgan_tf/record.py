"""Makes a small record of a run, which can be committed and which `compare` reads.

    python -m robgan_tf.record --run_dir=runs/quickstart --output_dir=docs/results/quickstart

writes <seed>.json (settings, curves, evaluations), <seed>_curves.png and the last sheets.
"""

import pathlib
import sys
from collections.abc import Sequence

from robgan_tf.cli import start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.errors import UserError


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    parser.group("Which run, and where to")
    parser.flag("run_dir", "The run to record.", values.path, form="DIR")
    parser.flag(
        "output_dir", "Where the record goes; records of other seeds stay.", values.path, form="DIR"
    )
    parser.group("Time")
    parser.flag(
        "seconds_per_step",
        "Seconds of an undisturbed step, in place of those that the run took beside other work; "
        "the record says so.",
        values.positive,
        form="SECONDS",
    )


def record(given: Values) -> int:
    """Makes the record as the flags say."""
    if not given.run_dir or not given.output_dir:
        raise UserError("which run, and where to? give --run_dir and --output_dir")
    # matplotlib takes a while to load: a missing flag should not have to wait for it.
    from robgan_tf.comparison.record import write_record

    path = write_record(
        pathlib.Path(given.run_dir), pathlib.Path(given.output_dir), given.seconds_per_step
    )
    print(f"written: {path}")
    return 0


COMMAND = Command(
    "record",
    "Makes a small record of a run: settings, thinned curves and evaluations as JSON, the curves "
    "as a plot, the last sheets. It can be committed, and compare reads it; the run's directory "
    "may be gone tomorrow.",
    "--run_dir=runs/quickstart --output_dir=records/quickstart",
    add_flags,
    record,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
