"""What a run of joint training prints at its start, at its end, and instead of running."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from robgan_tf.config.joint import JointConfig, TrainSettings
from robgan_tf.data.load import ImageData
from robgan_tf.models.summary import summary_table
from robgan_tf.reporting import format_radius
from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.stages.report import print_conditions, print_results
from robgan_tf.training.joint_gradients import JointPlayers
from robgan_tf.typing import PathLike


def print_start(
    config: JointConfig,
    strategy: tf.distribute.Strategy,
    data: ImageData,
    run: RunDirectory,
    start_step: int,
) -> None:
    """Prints what is about to be trained, on what, and from which step.

    Args:
      config: of the run.
      strategy: the run's strategy.
      data: its ImageData.
      run: its RunDirectory.
      start_step: steps already made.
    """
    train = config.train
    updates = f"{train.discriminator_updates} D updates"
    if config.adversary.free:
        replays = config.attack.steps
        updates = f"{train.discriminator_updates * replays} D updates (each batch {replays} times)"
    _print_joint_conditions(config, strategy, data)
    print(f"Run        {run.path}")
    begin = "from the beginning" if not start_step else f"continued from step {start_step}"
    print(
        f"Training   {train.steps} steps of {updates} and one G update, "
        f"batch {_batch(train)}, {train.precision}, {begin}",
        flush=True,
    )


def print_plan(
    config: JointConfig,
    strategy: tf.distribute.Strategy,
    data: ImageData,
    players: JointPlayers,
    run_dir: PathLike,
) -> None:
    """Prints the configuration, the models and the data shapes of a run that is not made.

    Args:
      config: of the run.
      strategy: the run's strategy.
      data: its ImageData.
      players: its models and optimizers.
      run_dir: where it would be.
    """
    train, prepared = config.train, config.data
    evaluation = config.final_evaluation
    batches = f"{train.discriminator_updates}, {train.batch_size}"
    side = prepared.resolution
    print(config.as_gin())
    print(summary_table(players.generator), "\n")
    print(summary_table(players.discriminator), "\n")
    _print_joint_conditions(config, strategy, data)
    print(
        f"One step   images [{batches}, {side}, {side}, {prepared.channels}] in [-1, 1], "
        f"labels [{batches}]"
    )
    if config.discriminator.has_class_head:
        print(
            f"Evaluation {evaluation.images} test images, PGD-{evaluation.attack_steps} of radius "
            f"{format_radius(evaluation.epsilon)}"
        )
    print(f"Run        {run_dir} (nothing was written)")


def print_summary(
    run: RunDirectory, steps: int, checkpoint: str | None, accuracy: Mapping[str, Any] | None
) -> None:
    """Prints where everything is and how well the classifier does.

    Args:
      run: the RunDirectory.
      steps: the last step.
      checkpoint: path prefix of the newest checkpoint.
      accuracy: dict with images, clean, attacked, attack_steps and epsilon; None if not measured.
    """
    print(f"\nFinished at step {steps}.")
    print(f"  samples       {run.picture_path('samples', steps)}")
    print_results(run, steps, checkpoint, accuracy)


def print_best(measure: str, best: BestCheckpoint) -> None:
    """Prints which checkpoint was kept as the best.

    Args:
      measure: what chose it, a kind such as "fid".
      best: the BestCheckpoint.
    """
    if int(best.step):
        print(f"  best {measure:<8} step {int(best.step)} (--checkpoint=best)")


def _print_joint_conditions(
    config: JointConfig, strategy: tf.distribute.Strategy, data: ImageData
) -> None:
    print_conditions(strategy, data, config.attack, config.adversary.free)


def _batch(train: TrainSettings) -> str:
    if train.images_in_generator_update == train.batch_size:
        return str(train.batch_size)
    return f"{train.batch_size} ({train.images_in_generator_update} in the G update)"
