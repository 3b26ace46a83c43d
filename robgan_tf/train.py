"""Trains Rob-GAN jointly: generator, discriminator and attacker.

    python -m robgan_tf.train --gin_file=gin/cifar10.gin

The same command on the same run directory continues where the run stopped.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from robgan_tf.cli import flags, start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.follow_up import continuation
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.cli.thread_choice import chosen_threads
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.extensions import Extension, explain_choices_of

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.stages.joint import JointStage


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    flags.add_training(parser)
    parser.group("Start and watching")
    parser.flag(
        "warm_start",
        "Another run's directory: start a new run from its newest weights.",
        values.path,
        form="DIR",
    )
    parser.flag(
        "features",
        "What image quality is measured on while training: pixels (averaged to 8 x 8), or as in "
        "evaluate quality.",
        values.path,
        default="pixels",
        form="WHAT",
    )


def train(given: Values) -> int:
    """Trains as the flags say."""
    if not given.gin_file:
        raise UserError("no configuration: give --gin_file, for instance gin/quickstart.gin")
    deadline = flags.deadline(given)
    config, extensions = _read(given)
    run_dir = flags.training_run_dir(given)
    threads = chosen_threads(given, config.train, run_dir, seconds_per_step, deadline)
    stage = _stage(given, config.with_threads(threads), extensions)
    if given.dry_run:
        stage.describe()
        return 0
    stop = stage.train(deadline)
    if stop is not None:
        return stop.exit_status
    if not stage.workers.is_chief:
        return 0
    longer = continuation("train", given, "train.steps", 2 * config.train.steps)
    print(f"Next: train longer with\n  {longer}")
    return 0


def seconds_per_step(given: Values, threads: str) -> float:
    """How long a step takes with other `train.threads`, in a process that used none yet."""
    config, extensions = _read(given)
    return _stage(given, config.with_threads(threads), extensions).seconds_per_step()


def _read(given: Values) -> tuple[JointConfig, list[Extension]]:
    extensions = flags.load_extensions(given)
    explain_choices_of(flags.training_run_dir(given))
    return read_config(JointConfig, given.gin_file, given.gin_param), extensions


def _stage(given: Values, config: JointConfig, extensions: list[Extension]) -> "JointStage":
    # TensorFlow takes seconds to load: a misspelt binding should not have to wait for it.
    with tensorflow_loading():
        from robgan_tf.stages.joint import JointStage

    return JointStage(
        config,
        flags.training_run_dir(given),
        flags.data_dir(given),
        given.warm_start,
        given.features,
        extensions,
        given.allow_config_change,
    )


COMMAND = Command(
    "train",
    "Trains Rob-GAN jointly: generator, discriminator and attacker. The same command on the same "
    "run directory continues where the run stopped.",
    "--gin_file=gin/quickstart.gin",
    add_flags,
    train,
    kept="nothing was changed; the same command begins or continues the run",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
