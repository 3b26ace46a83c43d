"""Exports the models of a run for TensorFlow Serving.

    python -m robgan_tf.export --run_dir=runs/cifar10 --export_dir=exports

writes exports/generator/1, exports/classifier/1, ...: SavedModels with signatures, a model card and
warm-up requests. Existing versions are never touched; the next free one is taken.
--format=onnx writes exports/generator_onnx/1/model.onnx, ... and the cards for other runtimes; it
needs the extra onnx.
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
    parser.group("What to export, and where to")
    parser.flag("run_dir", "The run to export from.", values.path, form="DIR")
    flags.add_data_dir(parser)
    flags.add_extension(parser)
    flags.add_checkpoint(parser)
    parser.flag("export_dir", "Where <name>/<version>/ are written.", values.path, form="DIR")
    parser.group("Models")
    parser.flag(
        "what",
        "Parts: generator, classifier, discriminator; all that the run has by default.",
        values.texts,
        form="LIST",
    )
    parser.flag(
        "version",
        "The version's number; the next free one by default.",
        values.whole(1),
        form="NUMBER",
    )
    parser.flag(
        "format",
        "saved_model: <name>/<version>/ for TensorFlow Serving; onnx: <name>_onnx/<version>/.",
        values.one_of("saved_model", "onnx"),
        default="saved_model",
        form="FORMAT",
    )


def export(given: Values) -> int:
    """Exports as the flags say."""
    if not given.run_dir or not given.export_dir:
        raise UserError("what to export, and where to? give --run_dir and --export_dir")
    flags.load_extensions(given)
    # TensorFlow takes seconds to load: a missing flag should not have to wait for it.
    with tensorflow_loading():
        from robgan_tf.serving.export_run import export_parts
        from robgan_tf.serving.onnx_export import check_converter
        from robgan_tf.stages.finished import best_or_last, open_run

    if given.format == "onnx":
        check_converter()
    run = open_run(given.run_dir, given.checkpoint or best_or_last(given.run_dir))
    data = run.data(flags.data_dir(given))
    print(f"Exporting  {run.identity}")
    paths = export_parts(
        run, data.class_names, given.export_dir, given.what, given.version, given.format
    )
    for name, path in paths.items():
        print(f"  {name:<14}{path}")
    return 0


COMMAND = Command(
    "export",
    "Exports the models of a run for TensorFlow Serving: SavedModels with signatures, a model card "
    "and warm-up requests; or for other runtimes, as ONNX. Existing versions are never touched; "
    "the next free one is taken.",
    "--run_dir=runs/quickstart --export_dir=exports",
    add_flags,
    export,
    kept="every version there is whole; --what=LIST exports the parts that are missing",
    one_process=True,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
