"""What a run of classifier training prints at its start, at its end, and instead of running."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from robgan_tf.choices import OBJECTIVES
from robgan_tf.config.finetune import FinetuneConfig, FinetuneSettings
from robgan_tf.data.load import ImageData
from robgan_tf.models.summary import summary_table
from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.stages.report import print_conditions, print_results
from robgan_tf.training.finetune_step import FinetunePlayers
from robgan_tf.typing import PathLike


def print_start(
    config: FinetuneConfig,
    strategy: tf.distribute.Strategy,
    data: ImageData,
    origin: Mapping[str, str | None],
    run: RunDirectory,
    start_step: int,
) -> None:
    """Prints what is about to be trained, on what, and from which step.

    Args:
      config: of the run.
      strategy: the run's strategy.
      data: its ImageData.
      origin: what the run is made from besides its configuration, by flag.
      run: its RunDirectory.
      start_step: steps already made.
    """
    wanted = config.finetune
    _print_conditions(config, strategy, data, origin)
    print(f"Run        {run.path}")
    begin = "from the beginning" if not start_step else f"continued from step {start_step}"
    print(f"Training   {wanted.steps} steps, {_batch(wanted)}, {wanted.precision}, {begin}")
    if not len(data.validation):
        print("Best       no checkpoint will be chosen: data.validation_examples is 0")
    print(end="", flush=True)


def print_plan(
    config: FinetuneConfig,
    strategy: tf.distribute.Strategy,
    data: ImageData,
    players: FinetunePlayers,
    origin: Mapping[str, str | None],
    run_dir: PathLike,
) -> None:
    """Prints the configuration, the model and the data shapes of a run that is not made.

    Args:
      config: of the run.
      strategy: the run's strategy.
      data: its ImageData.
      players: its models and optimizer.
      origin: what the run is made from besides its configuration, by flag.
      run_dir: where it would be.
    """
    wanted, prepared = config.finetune, config.data
    side = prepared.resolution
    print(config.as_gin())
    print(summary_table(players.classifier), "\n")
    _print_conditions(config, strategy, data, origin)
    print(
        f"One step   {_batch(wanted)}, images [N, {side}, {side}, {prepared.channels}] in [-1, 1]"
    )
    print(f"Run        {run_dir} (nothing was written)")


def print_summary(
    run: RunDirectory,
    steps: int,
    checkpoint: str | None,
    best: BestCheckpoint | None,
    accuracy: Mapping[str, Any] | None,
) -> None:
    """Prints where everything is and how well the classifier does.

    Args:
      run: the RunDirectory.
      steps: the last step.
      checkpoint: path prefix of the newest checkpoint.
      best: the BestCheckpoint, if there is one.
      accuracy: as in `joint_report.print_summary`.
    """
    print(f"\nFinished at step {steps}.")
    print_results(run, steps, checkpoint, accuracy)
    if best is not None and int(best.step):
        print(
            f"  best          step {int(best.step)}: {float(best.value):.1%} of validation images "
            "withstand (--checkpoint=best)"
        )


def _print_conditions(
    config: FinetuneConfig,
    strategy: tf.distribute.Strategy,
    data: ImageData,
    origin: Mapping[str, str | None],
) -> None:
    wanted = config.finetune
    print_conditions(strategy, data, config.attack, wanted.free, _attack_start(wanted))
    if (objective := _objective(wanted)) is not None:
        print(f"Objective  {objective}")
    start = "fresh weights" if wanted.start == "scratch" else f"D of {origin['--gan_run_dir']}"
    print(f"Start      {wanted.network}, {start}")
    if wanted.generated_share:
        maker = origin["--generated"] or f"averaged G of {origin['--gan_run_dir']}"
        print(f"Generated  {maker}")


def _attack_start(wanted: FinetuneSettings) -> str | None:
    """Where the attack of the objective starts; None where the attack's settings say."""
    deviation = OBJECTIVES.get(wanted.objective).start_deviation
    return None if deviation is None else f"started from noise of deviation {deviation:g}"


def _objective(wanted: FinetuneSettings) -> str | None:
    """What is minimised; None where it is as ever."""
    kind = OBJECTIVES.get(wanted.objective)
    parts = [wanted.objective]
    if kind.uses_clean:
        parts.append(f"divergence of weight {wanted.divergence_weight:g}")
    if wanted.weight_perturbation:
        begin = wanted.weight_perturbation_warmup_steps
        after = f" after step {begin}" if begin else ""
        parts.append(f"weights perturbed by {wanted.weight_perturbation:g}{after}")
    if parts == [FinetuneSettings.objective]:
        return None
    return ", ".join(parts)


def _batch(wanted: FinetuneSettings) -> str:
    if not wanted.generated_share:
        return f"batch {wanted.batch_size}"
    real = wanted.batch_size - wanted.generated_count
    return (
        f"batch {real} real and {wanted.generated_count} generated images of weight "
        f"{wanted.generated_weight:g}"
    )
