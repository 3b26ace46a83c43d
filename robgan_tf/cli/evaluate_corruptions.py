"""evaluate corruptions: accuracy of classifiers on prepared sets of corrupted images."""

import pathlib

from robgan_tf.cli import flags, values
from robgan_tf.cli.classifiers import (
    add_classifiers,
    add_input_range,
    check_given,
    open_classifiers,
    range_name,
)
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    parser.group("What to evaluate, and on what data")
    add_classifiers(parser)
    parser.flag(
        "data_dir",
        "The folder of the sets: KIND.npy and labels.npy as CIFAR-10-C is shared, or npz files "
        "with x and y called KIND_SEVERITY.npz.",
        values.path,
        form="DIR",
    )
    flags.add_extension(parser)
    parser.flag(
        "images",
        "How many images of each set, the first; all by default.",
        values.whole(1),
        form="NUMBER",
    )
    flags.add_batch_size(parser)
    parser.group("Results")
    parser.flag(
        "baseline",
        "JSON of an earlier result of one model on the same sets, which errors are then relative "
        "to.",
        values.path,
        form="FILE",
    )
    parser.flag(
        "name",
        "Of the result files; by default it says what is measured.",
        values.file_name,
        form="NAME",
    )
    parser.flag(
        "output_dir",
        "Where results are written; evaluations/ of the run by default, needed by --model, by "
        "archives and by several runs.",
        values.path,
        form="DIR",
    )
    add_input_range(parser)


def evaluate(given: Values) -> int:
    """Evaluates as the flags say."""
    flags.load_extensions(given)
    check_given(given)
    if not given.data_dir:
        raise UserError("on what images? give --data_dir, the folder of the sets")
    if not given.output_dir and (given.model or len(given.run_dir) > 1):
        raise UserError("where are results written? give --output_dir")
    with tensorflow_loading():
        from robgan_tf.corruptions.run import evaluate_corruptions

    opened = open_classifiers(given)
    directory = given.output_dir
    if opened[0].run is not None:
        directory = opened[0].run.results("evaluations", given.output_dir)
    print(
        evaluate_corruptions(
            [each.classifier for each in opened],
            given.data_dir,
            directory,
            given.name or _name(given),
            count=given.images,
            batch_size=given.batch_size,
            baseline=given.baseline,
        )
    )
    return 0


def _name(given: Values) -> str:
    parts = ["corruptions", pathlib.Path(given.data_dir).resolve().name]
    if given.images is not None:
        parts.append(f"{given.images}_images")
    if given.checkpoint not in (None, "last"):
        parts.append(given.checkpoint)
    if given.baseline:
        parts.append(f"relative_to_{pathlib.Path(given.baseline).stem}")
    return "_".join([*parts, *range_name(given)])


COMMAND = Command(
    "evaluate corruptions",
    "Measures accuracy on prepared sets of corrupted images, by kind and severity, and the mean "
    "corruption error; as a table, JSON and a picture.",
    "--run_dir=runs/quickstart --data_dir=corrupted_digits",
    add_flags,
    evaluate,
    one_process=True,
)
