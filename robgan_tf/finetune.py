"""Trains a robust classifier: stage 2 of Rob-GAN and its baselines.

    python -m robgan_tf.finetune --gin_file=gin/finetune/rob_gan.gin --gan_run_dir=runs/cifar10

trains the classifier of a jointly trained D on attacked real and generated images, equation (10).
Data set and D are those of that run. With other gin files the same command makes adversarial
training, equation (3), GAN-aided adversarial training (6), the penalty form (4)/(5) and clean
training. The same command on the same run directory continues where the run stopped.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from robgan_tf.cli import flags, start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.follow_up import command_line, continuation, given_again
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.cli.thread_choice import chosen_threads
from robgan_tf.config.configuration import as_gin
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.errors import UserError
from robgan_tf.extensions import Extension, explain_choices_of

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.stages.finetune import FinetuneStage
    from robgan_tf.stages.finished import FinishedRun

# What is that of the GAN's run unless a gin file says otherwise.
SHARED_GROUPS = ("data", "discriminator")


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    flags.add_training(parser)
    parser.group("Start and generated images")
    parser.flag(
        "gan_run_dir",
        "The run of joint training whose D is fine-tuned and whose G is used.",
        values.path,
        form="DIR",
    )
    parser.flag("gan_checkpoint", "Of it: last, or a kept step.", default="last", form="WHICH")
    parser.flag(
        "generated",
        "Generated images other than those of --gan_run_dir: an npz with `image` and `label`, a "
        "folder of class folders, or the SavedModel of an exported generator.",
        values.path,
        form="PATH",
    )


def finetune(given: Values) -> int:
    """Trains as the flags say."""
    if not given.gin_file:
        raise UserError("no configuration: give --gin_file, for instance gin/finetune/rob_gan.gin")
    deadline = flags.deadline(given)
    run_dir = flags.training_run_dir(given)
    config, gan, extensions = _read(given)
    threads = chosen_threads(given, config.finetune, run_dir, seconds_per_step, deadline)
    stage = _stage(given, config.with_threads(threads), gan, extensions)
    if given.dry_run:
        stage.describe()
        return 0
    stop = stage.train(deadline)
    if stop is not None:
        return stop.exit_status
    if not stage.workers.is_chief:
        return 0
    measure = command_line(
        "evaluate",
        "robustness",
        *given_again(given, "data_dir", "extension"),
        f"--run_dir={run_dir}",
        "--attack=strong",
    )
    longer = continuation("finetune", given, "finetune.steps", 2 * config.finetune.steps)
    print(f"Next: measure it with\n  {measure}\nor train longer with\n  {longer}")
    return 0


def seconds_per_step(given: Values, threads: str) -> float:
    """How long an update takes with other `finetune.threads`, in a process that used none yet."""
    config, gan, extensions = _read(given)
    return _stage(given, config.with_threads(threads), gan, extensions).seconds_per_step()


def _read(given: Values) -> tuple[FinetuneConfig, "FinishedRun | None", list[Extension]]:
    extensions = flags.load_extensions(given)
    explain_choices_of(flags.training_run_dir(given))
    gan = _open_gan(given)
    of_gan = "" if gan is None else as_gin(getattr(gan.config, group) for group in SHARED_GROUPS)
    return read_config(FinetuneConfig, given.gin_file, given.gin_param, of_gan), gan, extensions


def _stage(
    given: Values,
    config: FinetuneConfig,
    gan: "FinishedRun | None",
    extensions: list[Extension],
) -> "FinetuneStage":
    # TensorFlow takes seconds to load: a misspelt binding should not have to wait for it.
    with tensorflow_loading():
        from robgan_tf.stages.finetune import FinetuneStage

    return FinetuneStage(
        config,
        flags.training_run_dir(given),
        flags.data_dir(given),
        gan,
        given.generated,
        extensions,
        given.allow_config_change,
    )


def _open_gan(given: Values) -> "FinishedRun | None":
    if not given.gan_run_dir:
        return None
    with tensorflow_loading():
        from robgan_tf.stages.finished import open_run

    gan = open_run(given.gan_run_dir, given.gan_checkpoint)
    if not gan.is_joint:
        raise UserError(f"{gan.path} is a run of finetune, not of joint training (--gan_run_dir)")
    return gan


COMMAND = Command(
    "finetune",
    "Trains a robust classifier: stage 2 of Rob-GAN, which trains the classifier of a jointly "
    "trained D on attacked real and generated images, and its baselines, by other gin files. The "
    "same command on the same run directory continues where the run stopped.",
    "--gin_file=gin/finetune/rob_gan.gin --gin_file=gin/finetune/quickstart.gin "
    "--gan_run_dir=runs/quickstart --run_dir=runs/quickstart_tuned",
    add_flags,
    finetune,
    kept="nothing was changed; the same command begins or continues the run",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
