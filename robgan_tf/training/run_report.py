"""What a joint training run prints at its start, at its end, and instead of running."""

import os
import shlex
import sys

from robgan_tf.configuration import as_gin
from robgan_tf.models.summary import summary_table
from robgan_tf.reporting import format_radius
from robgan_tf.settings import (
    AdversarySettings,
    AttackSettings,
    DataSettings,
    DiscriminatorSettings,
    FinalEvaluationSettings,
    TrainSettings,
)


def print_start(settings, strategy, data, run, start_step):
    """Prints what is about to be trained, on what, and from which step."""
    train = settings[TrainSettings]
    updates = f"{train.discriminator_updates} D updates"
    if settings[AdversarySettings].free:
        replays = settings[AttackSettings].steps
        updates = f"{train.discriminator_updates * replays} D updates (each batch {replays} times)"
    _print_joint_conditions(settings, strategy, data)
    print(f"Run        {run.path}")
    begin = "from the beginning" if not start_step else f"continued from step {start_step}"
    print(
        f"Training   {train.steps} steps of {updates} and one G update, "
        f"batch {train.batch_size}, {train.precision}, {begin}",
        flush=True,
    )


def print_plan(settings, strategy, data, players, run_dir):
    """Prints the configuration, the models and the data shapes of a run that is not made."""
    train, data_settings = settings[TrainSettings], settings[DataSettings]
    evaluation = settings[FinalEvaluationSettings]
    batches = f"{train.discriminator_updates}, {train.batch_size}"
    side = data_settings.resolution
    print(as_gin(settings.values()))
    print(summary_table(players.generator), "\n")
    print(summary_table(players.discriminator), "\n")
    _print_joint_conditions(settings, strategy, data)
    print(
        f"One step   images [{batches}, {side}, {side}, {data_settings.channels}] in [-1, 1], "
        f"labels [{batches}]"
    )
    if settings[DiscriminatorSettings].has_class_head:
        print(
            f"Evaluation {evaluation.images} test images, PGD-{evaluation.attack_steps} of radius "
            f"{format_radius(evaluation.epsilon)}"
        )
    print(f"Run        {run_dir} (nothing was written)")


def print_summary(run, steps, checkpoint, accuracy):
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


def print_best(measure, best):
    """Prints which checkpoint was kept as the best.

    Args:
      measure: what chose it, one of `choices.QUALITY_MEASURES`.
      best: the BestCheckpoint.
    """
    if int(best.step):
        print(f"  best {measure:<8} step {int(best.step)} (--checkpoint=best)")


def print_results(run, steps, checkpoint, accuracy):
    """Prints what every kind of run leaves; Args are those of `print_summary`."""
    print(f"  attacks       {run.picture_path('attacks', steps)}")
    print(f"  numbers       {run.metrics_path}")
    if run.gap_picture_path.exists():
        print(f"  train / test  {run.gap_picture_path}, {run.gap_csv_path.name}")
    print(f"  checkpoint    {checkpoint}")
    if accuracy is not None:
        print(
            f"  classifier    on {accuracy['images']} test images: {accuracy['clean']:.1%} clean,\n"
            f"                {accuracy['attacked']:.1%} under PGD-{accuracy['attack_steps']} of "
            f"radius {format_radius(accuracy['epsilon'])}"
        )
    python, logs = os.path.relpath(sys.executable), shlex.quote(str(run.path.parent))
    print(f"  TensorBoard   {python} -m tensorboard.main --logdir {logs}")


def print_corrupt_files(data):
    """Prints every image that could not be read, with the reason, if there is one."""
    corrupt = {
        path: reason
        for source in (data.train, data.validation, data.test)
        for path, reason in source.corrupt_files.items()
    }
    if corrupt:
        print(f"  unreadable    {len(corrupt)} images, each replaced by one of its class:")
    for path, reason in corrupt.items():
        print(f"                {path} ({reason})")


def print_conditions(strategy, data, attack, is_free):
    """Prints data, attack and devices.

    Args:
      strategy: the run's strategy.
      data: its ImageData.
      attack: AttackSettings.
      is_free: whether it is that of free adversarial training.
    """
    devices = ", ".join(device.split("device:")[-1] for device in strategy.extended.worker_devices)
    print(f"Data       {data.description}")
    print(f"Attack     {_attack(attack, is_free)}")
    print(f"Replicas   {strategy.num_replicas_in_sync} ({devices})")


def _print_joint_conditions(settings, strategy, data):
    print_conditions(strategy, data, settings[AttackSettings], settings[AdversarySettings].free)


def _attack(attack, is_free):
    if not attack.steps:
        return "none"
    start = "random start" if attack.random_start else "no random start"
    size = f"{attack.step_size:g}" + (" of the radius" if attack.relative_step else "")
    kind, steps = "PGD", f"{attack.steps} steps"
    if is_free:
        # The move that the last replay would make has no replay to see it.
        kind, steps = "free, between the D updates of a batch", f"{attack.steps - 1} step(s)"
    return (
        f"{kind}, {steps} of {size}, radius {format_radius(attack.epsilon, attack.norm)}, {start}"
    )
