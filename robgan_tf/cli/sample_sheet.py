"""sample sheet: a PNG with a class a row."""

from robgan_tf.cli import sampling, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    sampling.add_flags(parser)
    parser.group("Sheet")
    sampling.add_classes(parser)
    parser.flag("columns", "Images a row.", values.whole(1), default=10, form="NUMBER")
    sampling.add_shared_latents(parser)


def sample(given: Values) -> int:
    """Samples as the flags say."""
    asked = sampling.Sampling(given)
    from robgan_tf.reporting import png, sample_sheet

    names = asked.class_names()
    labels = asked.chosen(names, sampling.SHEET_CLASSES)
    images = asked.sampler(given.shared_latents).sheet(labels, given.columns)
    asked.write("sheet", ".png", png(sample_sheet(images, sampling.row_names(names, labels))))
    return 0


COMMAND = Command(
    "sample sheet",
    "Draws a PNG with a class a row. What is there already is never overwritten.",
    "--run_dir=runs/quickstart",
    add_flags,
    sample,
    one_process=True,
)
