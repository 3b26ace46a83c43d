"""Flags that several commands have, each written once, and what is read off them."""

import contextlib
import os
import pathlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from robgan_tf import extensions
from robgan_tf.cli import values
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.config.groups import DataSettings
from robgan_tf.extensions import Extension

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.data import ImageData
    from robgan_tf.training.shared_evaluation import Shares


def add_training(parser: Parser) -> None:
    """The flags of a command that trains."""
    parser.group("Configuration and run")
    parser.flag(
        "gin_file",
        "A gin file; repeat it to lay further files (gin/losses/...) over the first.",
        values.path,
        repeated=True,
        form="FILE",
    )
    parser.flag(
        "gin_param",
        "A single binding such as train.steps=1000, over the files; repeatable.",
        repeated=True,
        form="BINDING",
    )
    parser.flag(
        "run_dir",
        "The run directory; runs/<name of the first gin file> by default.",
        values.path,
        form="DIR",
    )
    add_data_dir(parser)
    add_extension(parser)
    parser.flag(
        "max_hours",
        "Save and exit with status 75 before training has taken so long, for a scheduler that "
        "would end it; the same command continues. A step begun is finished.",
        values.positive,
        form="HOURS",
    )
    parser.flag(
        "allow_config_change",
        "Names of settings in which a run is continued with others, such as train.batch_size; "
        "data.images and data.class_names for other data. They are recorded in the run, with the "
        "step.",
        values.texts,
        default=(),
        form="LIST",
    )
    parser.switch("dry_run", "Print the configuration, the models and the data shapes, and exit.")


def add_data_dir(parser: Parser) -> None:
    """The flag of every command that reads data; read it by `data_dir`."""
    parser.flag(
        "data_dir",
        "Where the data is; TFDS_DATA_DIR or the TFDS default if not given.",
        values.path,
        form="DIR",
    )


def add_extension(parser: Parser) -> None:
    """The flag of every command that choices from outside mean something to."""
    parser.flag(
        "extension",
        "A Python file, run as a program with your rights, that adds a loss, an attack, a data "
        "set or a measure by robgan_tf.register; repeatable.",
        values.path,
        repeated=True,
        form="FILE.py",
    )


def load_extensions(given: Values) -> list[Extension]:
    """Runs what --extension names and returns its records; before anything reads a choice."""
    if not given.extension:
        return extensions.load([])
    # An extension may be the first to import TensorFlow.
    with tensorflow_loading():
        return extensions.load(given.extension)


def data_dir(given: Values) -> str | None:
    """Where the data is, or None."""
    name = "TFDS_DATA_DIR"
    return given.data_dir or (values.path(name, os.environ[name]) if name in os.environ else None)


def deadline(given: Values) -> float | None:
    """When training has to have ended, on `time.monotonic`; None for never."""
    return None if given.max_hours is None else time.monotonic() + 3600.0 * given.max_hours


def training_run_dir(given: Values) -> str:
    """The run directory of a command that trains; at least one gin file must be given."""
    return given.run_dir or os.path.join("runs", pathlib.Path(given.gin_file[0]).stem)


def add_checkpoint(parser: Parser) -> None:
    """The flag of which checkpoint of a run; by default the best where there is one."""
    parser.flag(
        "checkpoint",
        "best, last, or a step that was kept; best where there is one, else last, by default.",
        form="WHICH",
    )


def add_weights(parser: Parser) -> None:
    """The flag of which weights of a generator."""
    parser.flag(
        "weights",
        "average, the moving average of G, or live, G itself.",
        values.one_of("average", "live"),
        default="average",
        form="WHICH",
    )


def add_seed(parser: Parser) -> None:
    """The flag of what all random numbers of a command come from."""
    parser.flag("seed", "Of all random numbers.", values.seed, default=0, form="NUMBER")


def add_batch_size(parser: Parser) -> None:
    """The flag of how many images are worked on at a time."""
    parser.flag("batch_size", "Images at a time.", values.whole(1), default=100, form="NUMBER")


def add_replicas(parser: Parser) -> None:
    """The flag of how many devices an evaluation is spread over; read it by `shares`."""
    parser.flag(
        "replicas",
        "Devices that share the images, each with --batch_size of them at a time: GPUs, or without "
        "one parts of the CPU. They change no result.",
        values.whole(1),
        default=1,
        form="NUMBER",
    )


def shares(given: Values) -> "contextlib.AbstractContextManager[Shares]":
    """A context of the devices of --replicas, and of the workers that TF_CONFIG names."""
    from robgan_tf.training.shared_evaluation import shared_evaluation

    return shared_evaluation(given.replicas)


def add_run_dirs(parser: Parser, meaning: str) -> None:
    """The flag of the runs that are measured."""
    parser.flag("run_dir", meaning, values.path, repeated=True, form="DIR")


def add_data_gin_file(parser: Parser, meaning: str) -> None:
    """The flag of what data is used where there is no run that says it."""
    parser.flag("gin_file", meaning, values.path, repeated=True, form="FILE")


def add_split(parser: Parser, default: str) -> None:
    """The flag of which real images."""
    parser.flag(
        "split",
        "Which real images: test, train or validation.",
        values.one_of("test", "train", "validation"),
        default=default,
        form="SPLIT",
    )


def add_features(parser: Parser) -> None:
    """The flag of what images are compared by."""
    parser.flag(
        "features",
        "What images are compared by: pixels, inception2015:FILE, keras_inceptionv3:WEIGHTS, a "
        "SavedModel or Keras file that takes pixels from 0 to 255, FILE.py:FUNCTION, or "
        "classifier:RUN_DIR.",
        values.path,
        form="WHAT",
    )


def add_statistics_dir(parser: Parser, kind: str) -> None:
    """The flag of where features of real images are kept."""
    parser.flag(
        "statistics_dir",
        f"Where features of {kind} images are kept; reference_features beside the run (or in "
        "--output_dir without one) by default.",
        values.path,
        form="DIR",
    )


def load_data(
    data: DataSettings, given: Values, class_names: Sequence[str] | None = None
) -> "ImageData":
    """The images that settings choose, from where the flags say; of a run, of its classes."""
    from robgan_tf.data import load_image_data

    return load_image_data(**data.loading(data_dir(given)), class_names=class_names)
