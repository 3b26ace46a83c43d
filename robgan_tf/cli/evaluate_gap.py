"""evaluate gap: accuracy and smoothness on training and test images, over a run's checkpoints."""

from robgan_tf.cli import flags, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError

_IMAGES = 500


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    parser.group("What to evaluate")
    flags.add_run_dirs(parser, "A run's directory; repeat it for more runs.")
    flags.add_data_dir(parser)
    flags.add_extension(parser)
    parser.flag(
        "images",
        "How many images of each split.",
        values.whole(1),
        default=_IMAGES,
        form="NUMBER",
    )


def evaluate(given: Values) -> int:
    """Evaluates as the flags say."""
    if not given.run_dir:
        raise UserError("gap measures the checkpoints of runs: give --run_dir")
    flags.load_extensions(given)
    with tensorflow_loading():
        from robgan_tf.stages.checkpoint_gap import measure_checkpoints

    for run_dir in given.run_dir:
        measure_checkpoints(
            run_dir,
            lambda run: flags.load_data(run.config.data, given, run.class_names),
            given.images,
            "gap" if given.images == _IMAGES else f"gap_{given.images}_images",
        )
    return 0


COMMAND = Command(
    "evaluate gap",
    "Measures how far training and test images are apart. Each kept checkpoint of a run is "
    "measured on training, validation and test images: accuracy clean and under attack, and mean "
    "local Lipschitz value; as CSV and as a plot (Figures 2 and 6).",
    "--run_dir=runs/quickstart",
    add_flags,
    evaluate,
    one_process=True,
)
