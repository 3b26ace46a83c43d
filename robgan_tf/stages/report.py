"""What the runs of both stages print: the conditions of a run, and what it leaves."""

import os
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from robgan_tf.config.groups import AttackSettings
from robgan_tf.data.load import ImageData
from robgan_tf.reporting import format_radius
from robgan_tf.runs.directory import RunDirectory


def print_results(
    run: RunDirectory, steps: int, checkpoint: str | None, accuracy: Mapping[str, Any] | None
) -> None:
    """Prints what every kind of run leaves; Args are those of `joint_report.print_summary`."""
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


def print_corrupt_files(data: ImageData) -> None:
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


def print_conditions(
    strategy: tf.distribute.Strategy,
    data: ImageData,
    attack: AttackSettings,
    is_free: bool,
    start: str | None = None,
) -> None:
    """Prints data, attack and devices.

    Args:
      strategy: the run's strategy.
      data: its ImageData.
      attack: AttackSettings.
      is_free: whether it is that of free adversarial training.
      start: where the attack starts, if its settings do not decide that.
    """
    devices = ", ".join(device.split("device:")[-1] for device in strategy.extended.worker_devices)
    print(f"Data       {data.description}")
    print(f"Attack     {_attack(attack, is_free, start)}")
    workers = strategy.num_replicas_in_sync // len(strategy.extended.worker_devices)
    of_each = f" of each of {workers} workers" if workers > 1 else ""
    print(f"Replicas   {strategy.num_replicas_in_sync} ({devices}{of_each})")


def _attack(attack: AttackSettings, is_free: bool, start: str | None) -> str:
    if not attack.steps:
        return "none"
    start = start or ("random start" if attack.random_start else "no random start")
    size = f"{attack.step_size:g}" + (" of the radius" if attack.relative_step else "")
    kind, steps = "PGD", f"{attack.steps} steps"
    if is_free:
        # The move that the last replay would make has no replay to see it.
        kind, steps = "free, between the D updates of a batch", f"{attack.steps - 1} step(s)"
    return (
        f"{kind}, {steps} of {size}, radius {format_radius(attack.epsilon, attack.norm)}, {start}"
    )
