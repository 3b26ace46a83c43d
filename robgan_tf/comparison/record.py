"""A small record of a run, which can be committed: its settings, curves, evaluations, sheets.

`compare` reads it in place of the run's directory, which may be gone tomorrow.
"""

import json
import pathlib
import shutil
from collections.abc import Mapping, Sequence

import matplotlib.axes
from matplotlib.figure import Figure

from robgan_tf.comparison import outcomes
from robgan_tf.comparison.curves import SECONDS
from robgan_tf.comparison.results import output_folder
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.reporting import read_metrics
from robgan_tf.reporting.figures import figure_png
from robgan_tf.typing import JsonObject

MOST_POINTS = 150
JOINT_PANELS: dict[str, tuple[str, ...]] = {
    "D's loss": ("loss_discriminator/",),
    "G's loss": ("loss_generator/",),
    "share D judges right: real or generated": ("accuracy_source/",),
    "share D classifies right": ("accuracy_class/",),
    "attack: D's loss before and after": ("attack/loss",),
    "mean ||dS/dx||": ("lipschitz_source/",),
    "Fréchet distance": ("fid/",),
    "diversity within classes, share of the real": ("diversity/",),
    "realness in D's eyes (1: real for certain)": ("realness/",),
}
CLASSIFIER_PANELS: dict[str, tuple[str, ...]] = {
    "loss on attacked images": ("loss_discriminator/",),
    "accuracy on attacked images of the batch": ("accuracy_class/",),
    "learning rate": ("learning_rate/",),
    "accuracy, clean": ("gap/train_clean", "gap/validation_clean", "gap/test_clean"),
    "accuracy under attack": ("gap/train_attacked", "gap/validation_attacked", "gap/test_attacked"),
    "mean local Lipschitz value": ("gap/train_lip", "gap/validation_lip", "gap/test_lip"),
}


def write_record(
    run_dir: pathlib.Path, record_dir: pathlib.Path, seconds_per_step: float | None = None
) -> pathlib.Path:
    """Writes the record of a run.

    Args:
      run_dir: the run's directory.
      record_dir: made if it does not exist; the files of the run's seed are replaced.
      seconds_per_step: of an undisturbed step, in place of those the run took. Seconds of a run
        beside which other work ran say nothing.

    Returns:
      The path of the JSON file.

    Raises:
      UserError: if the directory is not that of a run, or the run has no metrics yet.
    """
    for name in ("config.json", "metrics.jsonl"):
        if not (run_dir / name).is_file():
            raise UserError(f"{run_dir} has no {name}: give the directory of a run (--run_dir)")
    config = read_object(run_dir / "config.json")
    records = read_metrics(run_dir / "metrics.jsonl")
    if not records:
        raise UserError(f"{run_dir} has no metrics yet")
    is_joint = "train.seed" in config
    name = str(config["train.seed" if is_joint else "finetune.seed"])
    output_folder(record_dir)
    if seconds_per_step is not None:
        records = _retimed(records, seconds_per_step)
    record = {
        "config": config,
        "last_step": records[-1]["step"],
        "evaluations": evaluations_of(run_dir, with_outcomes=True),
        **sessions_of(run_dir),
        "seconds_per_step": seconds_per_step or "as they were while training",
        "curves": _curves(thin(records)),
    }
    path = record_dir / f"{name}.json"
    write_atomically(path, (json.dumps(record, indent=None) + "\n").encode())
    panels = JOINT_PANELS if is_joint else CLASSIFIER_PANELS
    write_atomically(record_dir / f"{name}_curves.png", _plot(records, panels))
    for kind in ("samples", "attacks"):
        pictures = sorted((run_dir / kind).glob("step_*.png"))
        if pictures:
            shutil.copy(pictures[-1], record_dir / f"{name}_{kind}.png")
    return path


def _retimed(records: list[dict], seconds_per_step: float) -> list[dict]:
    """The records with `time/training_seconds` as if every step had taken equally long."""
    return [{**record, SECONDS: seconds_per_step * record["step"]} for record in records]


def thin(records: list[dict]) -> list[dict]:
    """About MOST_POINTS records, the last and those with a gap or image quality besides."""
    stride = max(1, -(-len(records) // MOST_POINTS))
    return [
        record
        for number, record in enumerate(records)
        if number % stride == 0
        or number == len(records) - 1
        or any(name.startswith(("gap/", "fid/")) for name in record)
    ]


def _curves(records: list[dict]) -> dict[str, list]:
    names = sorted({name for record in records for name in record})
    return {
        name: [_shorten(record[name]) if name in record else None for record in records]
        for name in names
    }


def _shorten(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.5g}")


def evaluations_of(run_dir: pathlib.Path, with_outcomes: bool = False) -> dict[str, JsonObject]:
    """What has been measured of a run, by the names of the files.

    Args:
      run_dir: the run's directory.
      with_outcomes: whether which images were withstood is in it too (`outcomes`).
    """
    found = {}
    for path in sorted((run_dir / "evaluations").glob("*.json")):
        found[path.stem] = read_object(path, MEASURE_ANEW)
        samples = path.with_name(f"{path.stem}_samples.csv")
        if with_outcomes and samples.is_file():
            found[path.stem][outcomes.KEY] = outcomes.read_outcomes(samples)
    return found


def sessions_of(run_dir: pathlib.Path) -> JsonObject:
    """The sessions that made a run, as {"sessions": list}; empty where it does not say."""
    path = run_dir / "environment.json"
    return read_object(path) if path.is_file() else {}


def drawn_panels(
    records: Sequence[JsonObject], panels: Mapping[str, tuple[str, ...]]
) -> dict[str, list[str]]:
    """The panels in which there is something to draw.

    Args:
      records: of the run.
      panels: dict from title to what the names of the measures in it begin with.

    Returns:
      Dict from title to the full names.
    """
    measured = {name for record in records for name in record}
    drawn = {
        title: sorted(name for name in measured if name.startswith(prefixes))
        for title, prefixes in panels.items()
    }
    return {title: names for title, names in drawn.items() if names}


def draw_panel(
    axis: matplotlib.axes.Axes, records: Sequence[JsonObject], title: str, names: Sequence[str]
) -> None:
    """Draws measures of a run over its steps.

    Args:
      axis: where.
      records: of the run.
      title: of the panel.
      names: of the measures.
    """
    for name in names:
        points = [(record["step"], record[name]) for record in records if name in record]
        axis.plot(*zip(*points, strict=True), label=name.split("/")[-1], linewidth=0.8)
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("step")
    axis.legend(fontsize=8)


def _plot(records: list[dict], panels: dict[str, tuple[str, ...]]) -> bytes:
    drawn = drawn_panels(records, panels)
    rows = max(1, -(-len(drawn) // 3))
    figure = Figure(figsize=(13, 3.5 * rows), layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False)
    for axis in axes.flat[len(drawn) :]:
        axis.set_visible(False)
    for axis, (title, names) in zip(axes.flat, drawn.items(), strict=False):
        draw_panel(axis, records, title, names)
    return figure_png(figure, 70)
