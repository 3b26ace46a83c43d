"""What is measured of a run's classifier while it trains and when it ends."""

from typing import Any

import keras

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import evaluation_batches
from robgan_tf.data.load import ImageData
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.reporting import format_radius, read_metrics
from robgan_tf.robustness.accuracy import accuracy_under_attack
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.typing import PathLike
from robgan_tf.watching.gap import (
    BATCH_SIZE,
    GapMeter,
    gap_csv,
    gap_records,
    images_of_splits,
    splits_of,
)
from robgan_tf.watching.gap_plot import gap_plot


def build_evaluation_attack(config: JointConfig | FinetuneConfig) -> ProjectedGradientDescent:
    """Builds the attack of `final_evaluation`: steps of epsilon / 5, no random start.

    Raises:
      UserError: if its numbers make no sense.
    """
    wanted = config.final_evaluation
    try:
        return ProjectedGradientDescent(wanted.epsilon, wanted.attack_steps, wanted.epsilon / 5)
    except ValueError as error:
        raise UserError(f"final_evaluation: {error}") from error


def gap_meter(
    config: JointConfig | FinetuneConfig, data: ImageData, model: keras.Model
) -> GapMeter:
    """Builds the GapMeter of a run, of the model that is measured, on the ImageData.

    Args:
      config: of the run.
      data: its ImageData.
      model: the model that is measured.
    """
    attack = build_evaluation_attack(config)
    return GapMeter(model, splits_of(data), config.gap.images, attack)


def final_accuracy(
    config: JointConfig | FinetuneConfig,
    run: RunDirectory,
    data: ImageData,
    model: keras.Model,
    steps: int,
) -> dict[str, Any] | None:
    """Accuracy on test images at the last step; measured once and kept in the run directory.

    Args:
      config: of the run.
      run: its RunDirectory.
      data: its ImageData.
      model: what is measured.
      steps: the last step.

    Returns:
      Dict of what was measured and the attack; None if no images were asked for.
    """
    wanted = config.final_evaluation
    path = run.path / "evaluations" / f"step_{steps:08d}.json"
    if path.exists():
        return _kept(path)
    count = min(wanted.images, len(data.test))
    if not count:
        return None
    print(f"\nMeasuring accuracy on {count} test images ...", flush=True)
    batches = evaluation_batches(data.test.evenly_spaced(count), BATCH_SIZE)
    accuracy = accuracy_under_attack(model, batches, build_evaluation_attack(config))
    protocol = {"epsilon": wanted.epsilon, "attack_steps": wanted.attack_steps}
    result = {**vars(accuracy), **protocol}
    run.write_json(path, result)
    return result


def _kept(path: PathLike) -> dict[str, Any]:
    """What was measured before."""
    found = read_object(path, MEASURE_ANEW)
    for name in ("images", "clean", "attacked", "epsilon", "attack_steps"):
        if type(found.get(name)) not in (int, float):
            raise UserError(f"{path} is damaged: it has no number {name!r}; {MEASURE_ANEW}")
    return found


def write_gap(config: JointConfig | FinetuneConfig, run: RunDirectory, data: ImageData) -> None:
    """Writes the gap measured while training as gap.csv and gap.png, if it was measured."""
    records = gap_records(read_metrics(run.metrics_path))
    if not records:
        return
    wanted = config.final_evaluation
    caption = (
        f"{run.path.name}: PGD-{wanted.attack_steps} of radius {format_radius(wanted.epsilon)}, "
        f"{images_of_splits(data, config.gap.images)}"
    )
    write_atomically(run.gap_csv_path, gap_csv(records))
    write_atomically(run.gap_picture_path, gap_plot({run.path.name: records}, caption))
