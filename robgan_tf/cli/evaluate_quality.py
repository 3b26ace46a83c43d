"""evaluate quality: a generator's images against real ones."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from robgan_tf.cli import flags, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.config.gin_files import read_group
from robgan_tf.config.groups import DataSettings
from robgan_tf.errors import UserError

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.quality.measured_images import MeasuredImages


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    parser.group("What to evaluate, and on what data")
    flags.add_data_gin_file(parser, "For --generated: gin files that choose the data.")
    flags.add_run_dirs(parser, "The directory of a run of joint training; one of them.")
    flags.add_data_dir(parser)
    flags.add_extension(parser)
    flags.add_checkpoint(parser)
    flags.add_weights(parser)
    parser.flag(
        "generated",
        "In place of a run: images of any generator, an npz, class folders or a folder.",
        values.path,
        form="PATH",
    )
    parser.flag(
        "num_images",
        "How many generated images; 10,000 by default, or all that are stored.",
        values.whole(1),
        form="NUMBER",
    )
    flags.add_split(parser, "train")
    parser.flag(
        "real_images",
        "How many real images, evenly spaced; all by default.",
        values.whole(1),
        form="NUMBER",
    )
    parser.group("Measurement")
    flags.add_features(parser)
    parser.flag("splits", "Of the Inception Score.", values.whole(1), default=10, form="NUMBER")
    flags.add_seed(parser)
    flags.add_batch_size(parser)
    flags.add_replicas(parser)
    parser.group("Results")
    parser.flag(
        "name",
        "Of the result files; by default it says what is measured and how.",
        values.file_name,
        form="NAME",
    )
    parser.flag(
        "output_dir",
        "Where results are written; evaluations/ of the run by default.",
        values.path,
        form="DIR",
    )
    flags.add_statistics_dir(parser, "real")


def evaluate(given: Values) -> int:
    """Evaluates as the flags say."""
    if len(given.run_dir) + bool(given.generated) != 1 or not given.features:
        raise UserError(
            "quality measures the generator of one run, or images that are stored: give --run_dir "
            "or --generated, and --features"
        )
    if given.generated:
        given.refuse(["checkpoint", "weights"], "is of --run_dir")
        if not given.gin_file or not given.output_dir:
            raise UserError(
                "--generated needs --gin_file, which says what data to compare with, and "
                "--output_dir, where results are written"
            )
    else:
        given.refuse(["gin_file"], "is of --generated, and a run has its own")
    flags.load_extensions(given)
    with tensorflow_loading():
        from robgan_tf.quality.run import evaluate_quality
        from robgan_tf.stages.features import open_features
        from robgan_tf.stages.finished import trained_classes

    with flags.shares(given) as shares:
        settings, measured_images, directory, statistics = (
            _of_stored_images(given) if given.generated else _of_run(given)
        )
        opened = open_features(given.features, settings.resolution, settings.channels)
        extractor = dataclasses.replace(opened, devices=shares.devices, peers=shares.peers)
        classes = None if given.generated else trained_classes(given.run_dir[0])
        data = flags.load_data(settings, given, classes)
        real = getattr(data, given.split)
        # What is wrong with the images is to be said before features of the real ones are computed.
        measured = measured_images(data.class_names)
        table = evaluate_quality(
            measured,
            extractor,
            real.evenly_spaced(given.real_images or len(real)),
            real_name=given.split,
            dataset=settings.file_name,
            directory=given.output_dir or directory,
            statistics_directory=given.statistics_dir or statistics / "reference_features",
            name=given.name,
            splits=given.splits,
            batch_size=given.batch_size,
        )
        print(table)
    return 0


def _of_run(given: Values) -> tuple[DataSettings, Callable, pathlib.Path, pathlib.Path]:
    """Settings, function from class names to MeasuredImages, and directories, for a run."""
    from robgan_tf.quality.measured_images import images_of_run
    from robgan_tf.quality.run import QUALITY_IMAGES
    from robgan_tf.stages.finished import best_or_last, open_run

    (run_dir,) = given.run_dir
    run = open_run(run_dir, given.checkpoint or best_or_last(run_dir))
    measured = images_of_run(
        run,
        given.num_images or QUALITY_IMAGES,
        seed=given.seed,
        live=given.weights == "live",
        batch_size=given.batch_size,
    )
    directory = run.results("evaluations", given.output_dir)
    return run.config.data, lambda names: measured, directory, run.beside(given.output_dir)


def _of_stored_images(given: Values) -> tuple[DataSettings, Callable, pathlib.Path, pathlib.Path]:
    """The same for images that any generator made."""
    from robgan_tf.quality.measured_images import stored_images

    settings = read_group(DataSettings, given.gin_file)
    directory = pathlib.Path(given.output_dir)

    def measured(class_names: Sequence[str]) -> "MeasuredImages":
        return stored_images(
            given.generated,
            class_names,
            settings,
            given.num_images,
            seed=given.seed,
            batch_size=given.batch_size,
        )

    return settings, measured, directory, directory


COMMAND = Command(
    "evaluate quality",
    "Compares generated images with real ones. They are of a run's generator or of any other; what "
    "is measured are Inception Score, Fréchet distance, kernel distance, precision and recall, on "
    "the features of any extractor.",
    "--run_dir=runs/quickstart --features=classifier:runs/quickstart",
    add_flags,
    evaluate,
)
