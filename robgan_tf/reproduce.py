"""Makes tables and figures of the paper: plans, runs, resumes, evaluates, reports.

    python -m robgan_tf.reproduce --table=1 --scale=small --out=reproduced

runs what is missing of the table, one command of this package after the other, each in a process
of its own, and writes report.html and report.md with the paper's numbers beside ours. The same
command goes on after any interruption. --plan shows what there is and how long the rest takes.
"""

import pathlib
import sys
from collections.abc import Sequence

from robgan_tf.cli import flags, start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.errors import UserError

_DATASETS = ("cifar10", "digits", "imagenet143")
_SCALES = ("paper", "small", "smoke")


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    parser.group("What to reproduce")
    flags.add_data_dir(parser)
    parser.flag(
        "table", "A table of the paper: 1; repeatable, beside --figure.",
        values.one_of("1"), repeated=True, form="NUMBER",
    )  # fmt: skip
    parser.flag(
        "figure", "A figure of the paper: 2, 6, 7 or 8; repeatable.",
        values.one_of("2", "6", "7", "8"), repeated=True, form="NUMBER",
    )  # fmt: skip
    parser.flag(
        "dataset",
        "cifar10, digits or imagenet143; cifar10 by default, digits with --scale=smoke.",
        values.one_of(*_DATASETS),
        form="NAME",
    )
    parser.flag(
        "scale",
        "paper, published widths and lengths; small, hours on 2 CPU cores; smoke, minutes.",
        values.one_of(*_SCALES),
        default="small",
        form="SCALE",
    )
    parser.flag(
        "features",
        "What image quality is measured on while training, as in train; the same as in committed "
        "records, where those are to be compared with.",
        values.path,
        form="WHAT",
    )
    parser.group("How, and where to")
    parser.flag("out", "The folder of runs, records, logs and the report.", values.path, form="DIR")
    parser.flag(
        "records",
        "Folder of committed records, which count in place of runs; docs/results by default.",
        values.path,
        form="DIR",
    )
    parser.flag(
        "jobs",
        "How many processes at a time, each pinned to its share of the cores, or to one of "
        "CUDA_VISIBLE_DEVICES.",
        values.whole(1, 1024),
        default=1,
        form="NUMBER",
    )
    parser.switch("plan", "Print every run with its state, time and disk, and run nothing.")
    parser.switch("status", "Print what a call that is at work does now, and run nothing.")


def reproduce(given: Values) -> int:
    """Reproduces as the flags say."""
    items = [f"table_{x}" for x in given.table] + [f"figure_{x}" for x in given.figure]
    if not items or not given.out:
        raise UserError("reproduce what, and where to? give --table or --figure, and --out")
    # matplotlib takes a while to load: a missing flag should not have to wait for it.
    from robgan_tf.reproduction import run
    from robgan_tf.reproduction.experiment import open_experiment
    from robgan_tf.reproduction.plan import commands, plan
    from robgan_tf.reproduction.state import states

    experiment = open_experiment(
        tuple(dict.fromkeys(items)),
        given.dataset or ("digits" if given.scale == "smoke" else "cifar10"),
        given.scale,
        pathlib.Path(given.out),
        given.data_dir,
        given.features,
        None if given.records is None else pathlib.Path(given.records),
    )
    if given.status:
        print(run.status(experiment))
        return 0
    found = states(experiment)
    print(plan(experiment, found), flush=True)
    if given.plan:
        print(commands(found))
        return 0
    written, wrong = run.reproduce(experiment, given.jobs, _say)
    for line in wrong:
        print(f"warning: {line}")
    print(f"written: {written.html} and {written.markdown}")
    return 1 if wrong else 0


def _say(line: str) -> None:
    print(line, flush=True)


COMMAND = Command(
    "reproduce",
    "Makes tables and figures of the paper: plans, runs, resumes, evaluates, reports. What there "
    "is already counts, committed records too; every run is a command of this package in a process "
    "of its own. The same command goes on after any interruption.",
    "--table=1 --figure=6 --scale=small --out=reproduced --plan",
    add_flags,
    reproduce,
    kept="every run keeps its checkpoints; the same command goes on",
    one_process=True,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
