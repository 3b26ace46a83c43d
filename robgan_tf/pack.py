"""Packs a run into one file that can be handed over.

    python -m robgan_tf.pack --run_dir=runs/cifar10 --output=cifar10.tar.gz

The archive holds configuration, class names, one checkpoint, the newest sheets, tables, numbers and
a card. Every command, and `robgan_tf.load_run`, takes it in place of the run directory; the data
set is not needed to sample, classify or export.
"""

import sys
from collections.abc import Sequence

from robgan_tf.cli import flags, start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    parser.group("What to pack, and where to")
    parser.flag("run_dir", "The run to pack.", values.path, form="DIR")
    flags.add_data_dir(parser)
    flags.add_checkpoint(parser)
    parser.flag(
        "output",
        "The archive, which must not exist; <name of the run>.tar.gz here by default.",
        values.path,
        form="FILE",
    )


def pack(given: Values) -> int:
    """Packs as the flags say."""
    if not given.run_dir:
        raise UserError("what to pack? give --run_dir")
    if given.output and not given.output.endswith(".tar.gz"):
        raise UserError(f"--output={given.output}: an archive's name ends in .tar.gz")
    # TensorFlow takes seconds to load: a missing flag should not have to wait for it.
    with tensorflow_loading():
        from robgan_tf.stages.finished import best_or_last, open_run
        from robgan_tf.stages.pack import pack_run

    run = open_run(given.run_dir, given.checkpoint or best_or_last(given.run_dir))
    output = given.output or f"{run.name}.tar.gz"
    files = pack_run(run, output, flags.data_dir(given))
    print(f"Packed     {run.identity}")
    print(f"  written: {output} ({len(files)} files)")
    return 0


COMMAND = Command(
    "pack",
    "Packs a run into one file that can be handed over: configuration, class names, one "
    "checkpoint, the newest sheets, tables, numbers and a card. Every command takes the archive as "
    "--run_dir.",
    "--run_dir=runs/quickstart --output=quickstart.tar.gz",
    add_flags,
    pack,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
