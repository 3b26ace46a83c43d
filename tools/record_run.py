"""Turns a run directory into a small record that can be committed, with its curves as a plot.

    python -m tools.record_run RUN_DIR docs/results/EXPERIMENT

writes EXPERIMENT/<seed>.json (settings, curves, evaluations), <seed>_curves.png and the last
sheets; a run directory may be gone tomorrow, its record stays.

Seconds of a run beside which other work ran say nothing. --seconds_per_step=0.19 puts those of an
undisturbed step in their place, as `tools.benchmark` measures them, and the record says so.
"""

import argparse
import json
import math
import pathlib
import shutil

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from robgan_tf.comparison.curves import SECONDS
from robgan_tf.reporting import read_metrics

MOST_POINTS = 150
JOINT_PANELS = {
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
CLASSIFIER_PANELS = {
    "loss on attacked images": ("loss/",),
    "accuracy on attacked images of the batch": ("accuracy/",),
    "learning rate": ("learning_rate/",),
    "accuracy, clean": ("gap/train_clean", "gap/validation_clean", "gap/test_clean"),
    "accuracy under attack": ("gap/train_attacked", "gap/validation_attacked", "gap/test_attacked"),
    "mean local Lipschitz value": ("gap/train_lip", "gap/validation_lip", "gap/test_lip"),
}


def main():
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_dir", type=pathlib.Path)
    parser.add_argument("record_dir", type=pathlib.Path)
    parser.add_argument("--seconds_per_step", type=float)
    arguments = parser.parse_args()
    seconds = arguments.seconds_per_step
    if seconds is not None and not 0.0 < seconds < math.inf:
        parser.error("--seconds_per_step: give a number above 0")
    for name in ("config.json", "metrics.jsonl"):
        if not (arguments.run_dir / name).is_file():
            parser.error(f"{arguments.run_dir} has no {name}: give the directory of a run")
    config = json.loads((arguments.run_dir / "config.json").read_text())
    records = read_metrics(arguments.run_dir / "metrics.jsonl")
    if not records:
        parser.error(f"{arguments.run_dir} has no metrics yet")
    is_joint = "train.seed" in config
    name = str(config["train.seed" if is_joint else "finetune.seed"])
    arguments.record_dir.mkdir(parents=True, exist_ok=True)
    if seconds is not None:
        records = _retimed(records, seconds)
    record = {
        "config": config,
        "last_step": records[-1]["step"],
        "evaluations": _evaluations(arguments.run_dir),
        "seconds_per_step": seconds or "as they were while training",
        "curves": _curves(_thin(records)),
    }
    (arguments.record_dir / f"{name}.json").write_text(json.dumps(record, indent=None) + "\n")
    panels = JOINT_PANELS if is_joint else CLASSIFIER_PANELS
    _plot(records, panels, arguments.record_dir / f"{name}_curves.png")
    for kind in ("samples", "attacks"):
        pictures = sorted((arguments.run_dir / kind).glob("step_*.png"))
        if pictures:
            shutil.copy(pictures[-1], arguments.record_dir / f"{name}_{kind}.png")


def _retimed(records, seconds_per_step):
    """The records with `time/training_seconds` as if every step had taken equally long."""
    return [{**record, SECONDS: seconds_per_step * record["step"]} for record in records]


def _thin(records):
    """About MOST_POINTS records, the last and those with a gap or image quality besides."""
    stride = max(1, -(-len(records) // MOST_POINTS))
    return [
        record
        for number, record in enumerate(records)
        if number % stride == 0
        or number == len(records) - 1
        or any(name.startswith(("gap/", "fid/")) for name in record)
    ]


def _curves(records):
    names = sorted({name for record in records for name in record})
    return {
        name: [_shorten(record[name]) if name in record else None for record in records]
        for name in names
    }


def _shorten(value):
    return value if isinstance(value, int) else float(f"{value:.5g}")


def _evaluations(run_dir):
    return {
        path.stem: json.loads(path.read_text())
        for path in sorted((run_dir / "evaluations").glob("*.json"))
    }


def _plot(records, panels, path):
    measured = {name for record in records for name in record}
    panels = {
        title: sorted(name for name in measured if name.startswith(prefixes))
        for title, prefixes in panels.items()
    }
    panels = {title: names for title, names in panels.items() if names}
    rows = max(1, -(-len(panels) // 3))
    figure, axes = plt.subplots(
        rows, 3, figsize=(13, 3.5 * rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, (title, names) in zip(axes.flat, panels.items(), strict=False):
        for name in names:
            points = [(record["step"], record[name]) for record in records if name in record]
            axis.plot(*zip(*points, strict=True), label=name.split("/")[-1], linewidth=0.8)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step")
        axis.legend(fontsize=8)
    figure.savefig(path, dpi=70)
    plt.close(figure)


if __name__ == "__main__":
    main()
