"""The gap between training and test images over a run's kept checkpoints (Figures 2 and 6)."""

import pathlib
from collections.abc import Callable, Mapping

from robgan_tf.data.load import ImageData
from robgan_tf.data.overlap import overlap_warning
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.reporting import format_radius
from robgan_tf.runs.archive import is_archive
from robgan_tf.runs.checkpoints import checkpoint_of_step, kept_steps, load_weights
from robgan_tf.runs.directory import CHECKPOINTS
from robgan_tf.stages.finished import FinishedRun, open_run
from robgan_tf.typing import PathLike
from robgan_tf.watching.final_evaluation import build_evaluation_attack
from robgan_tf.watching.gap import GapMeter, gap_csv, images_of_splits, splits_of
from robgan_tf.watching.gap_plot import gap_plot


def measure_checkpoints(
    run_dir: PathLike, load_data: Callable[[FinishedRun], ImageData], images: int, name: str
) -> None:
    """Measures every kept checkpoint and writes a table and a plot to evaluations/ of the run.

    The attack is that of the run's `final_evaluation`.

    Args:
      run_dir: the run directory.
      load_data: function from the run to its ImageData.
      images: how many images of each split.
      name: of the .csv and the .png file.

    Raises:
      UserError: if there is no run, or none of its checkpoints is left.
    """
    if is_archive(run_dir):
        raise UserError(
            f"{run_dir} is an archive, which holds one checkpoint: the gap is measured over those "
            "of a run directory (--run_dir)"
        )
    directory = pathlib.Path(run_dir)
    steps = kept_steps(directory / CHECKPOINTS)
    if not steps:
        raise UserError(f"{run_dir} has no checkpoint to measure (--run_dir)")
    run = open_run(run_dir)
    data = load_data(run)
    warning = overlap_warning(data, ["validation", "test"])
    if warning is not None:
        print(warning, flush=True)
    model = run.load_classifier()
    meter = GapMeter(
        model,
        splits_of(data),
        images,
        build_evaluation_attack(run.config),
    )
    wanted = run.config.final_evaluation
    attack = f"PGD-{wanted.attack_steps} of radius {format_radius(wanted.epsilon)}"
    print(f"{directory.name}: {attack}", flush=True)
    records = []
    for step in steps:
        path = checkpoint_of_step(directory / CHECKPOINTS, str(step))
        load_weights(path, {run.model_name: model})
        records.append({"step": step, **meter()})
        print(_line(records[-1]), flush=True)
    caption = f"{directory.name}: {attack}, {images_of_splits(data, images)}"
    written = directory / "evaluations" / f"{name}.csv"
    written.parent.mkdir(exist_ok=True)
    write_atomically(written, gap_csv(records))
    write_atomically(written.with_suffix(".png"), gap_plot({directory.name: records}, caption))
    print(f"written: {written} and {written.with_suffix('.png').name}")


def _line(record: Mapping[str, float]) -> str:
    parts = [f"step {record['step']:>7}"]
    for split in ("train", "validation", "test"):
        if f"gap/{split}_clean" in record:
            parts.append(
                f"{split} {record[f'gap/{split}_clean']:.1%} clean, "
                f"{record[f'gap/{split}_attacked']:.1%} under attack, "
                f"LLV {record[f'gap/{split}_lipschitz']:.3f}"
            )
    return "  ".join(parts)
