"""Compares runs: losses and accuracy under attack against D updates and against seconds.

    python -m tools.compare_runs --data_dir=DIR --record_dir=docs/results/NAME \\
        "float32=runs/a" "float32=runs/b" "bfloat16=runs/c"

Runs of one label are drawn in one colour. Accuracy is measured on test images at every checkpoint
that a run has kept (`train.keep_checkpoints`), and remembered in the run directory. Seconds are
those of training steps at the run's median speed, or at `--seconds_per_step`, without compilation,
pictures and checkpoints.
Writes one JSON a run and comparison.png.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported

# isort: split
import matplotlib.figure
import numpy as np

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.comparison.record import MOST_POINTS
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import evaluation_batches, load_image_data
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.reporting import read_metrics
from robgan_tf.reporting.figures import figure_png
from robgan_tf.robustness.accuracy import accuracy_under_attack
from robgan_tf.runs.checkpoints import kept_steps
from robgan_tf.stages.finished import open_run, read_run_config
from robgan_tf.typing import JsonObject, LabelledImages

ATTACK_STEPS = 20
LOSSES = {
    "D's loss, mean over a tenth of the run": "loss_discriminator/total",
    "G's loss, mean over a tenth of the run": "loss_generator/total",
}
ACCURACIES = {"clean accuracy": "clean", "accuracy under PGD-20": "attacked"}


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="LABEL=RUN_DIR")
    parser.add_argument("--data_dir")
    parser.add_argument("--record_dir", type=pathlib.Path, required=True)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epsilon", type=float, default=0.04, help="on images in [-1, 1]")
    parser.add_argument(
        "--seconds_per_step",
        nargs="*",
        default=[],
        metavar="LABEL=SECONDS",
        help="measured elsewhere, for runs that shared their machine",
    )
    arguments = parser.parse_args()
    try:
        given = (text.rpartition("=")[::2] for text in arguments.seconds_per_step)
        arguments.seconds_per_step = {label: float(seconds) for label, seconds in given}
    except ValueError:
        parser.error("--seconds_per_step: give LABEL=SECONDS")
    runs = [run.partition("=")[::2] for run in arguments.runs]
    for label, path in runs:
        if not (pathlib.Path(path or "?") / "metrics.jsonl").exists():
            parser.error(f"{label}={path}: not LABEL=RUN_DIR of a run with a metrics.jsonl")
        if "/" in label:
            parser.error(f"{label}: a label becomes a file name and must not contain a slash")
    if arguments.images < 1 or arguments.epsilon < 0.0:
        parser.error("--images must be at least 1 and --epsilon at least 0")
    arguments.record_dir.mkdir(parents=True, exist_ok=True)
    records = [_record(label, pathlib.Path(path), arguments) for label, path in runs]
    names = [_file_name(record) for record in records]
    if len(set(names)) < len(names):
        parser.error("two runs have the same label and seed; give them different labels")
    for name, record in zip(names, records, strict=True):
        (arguments.record_dir / name).write_text(json.dumps(record) + "\n")
    write_atomically(arguments.record_dir / "comparison.png", _draw(records))


def _file_name(record: JsonObject) -> str:
    return f"{record['label']}_seed_{record['config']['train.seed']}.json".replace(" ", "_")


def _record(label: str, run_dir: pathlib.Path, arguments: argparse.Namespace) -> JsonObject:
    metrics = read_metrics(run_dir / "metrics.jsonl")
    config = json.loads((run_dir / "config.json").read_text())
    updates = config["train.discriminator_updates"]
    if config.get("TrainingAdversary.free"):
        updates *= config["ProjectedGradientDescent.steps"]
    images = config["train.batch_size"] * config["train.discriminator_updates"]
    seconds = _training_seconds(metrics, images, arguments.seconds_per_step.get(label))
    accuracies = _accuracies(run_dir, arguments)
    steps = [record["step"] for record in metrics]
    for accuracy in accuracies:
        accuracy["discriminator_updates"] = accuracy["step"] * updates
        accuracy["seconds"] = float(np.interp(accuracy["step"], steps, seconds))
    window = max(1, len(metrics) // 10)
    return {
        "label": label,
        "config": config,
        "protocol": {
            "attack": f"PGD, {ATTACK_STEPS} steps of epsilon / 5, no random start",
            "epsilon": arguments.epsilon,
            "images": arguments.images,
        },
        "accuracy": accuracies,
        "seconds_per_step": seconds[-1] / steps[-1],
        "curves": {
            "step": steps[:: _stride(steps)],
            "discriminator_updates": [step * updates for step in steps][:: _stride(steps)],
            "seconds": [round(value, 1) for value in seconds][:: _stride(steps)],
            **{
                name: _smooth([record[name] for record in metrics], window)[:: _stride(steps)]
                for name in LOSSES.values()
            },
        },
    }


def _stride(values: Sequence[Any]) -> int:
    return -(-len(values) // MOST_POINTS)


def _training_seconds(
    metrics: Sequence[JsonObject], images_per_step: int, seconds_per_step: float | None
) -> list[float]:
    """Seconds of training up to each record: at a known speed, or at the run's median speed."""
    if seconds_per_step is None:
        speeds = [record.get("speed/images_per_second") for record in metrics]
        known = [speed for speed in speeds if speed]
        if not known:
            raise UserError("a run has no record of its speed: it needs at least two records")
        seconds_per_step = images_per_step / float(np.median(known))
    return [record["step"] * seconds_per_step for record in metrics]


def _smooth(values: Sequence[float], window: int) -> list[float]:
    """Mean over the last `window` records."""
    sums = np.cumsum([0.0, *values])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return [float(f"{value:.5g}") for value in (sums[ends] - sums[starts]) / (ends - starts)]


def _accuracies(run_dir: pathlib.Path, arguments: argparse.Namespace) -> list[JsonObject]:
    """Accuracy at every kept checkpoint, remembered by protocol."""
    memory = run_dir / f"compare_{arguments.images}_images_epsilon_{arguments.epsilon:g}.json"
    known = json.loads(memory.read_text()) if memory.exists() else {}
    kept = kept_steps(run_dir / "checkpoints")
    missing = [step for step in kept if str(step) not in known]
    if missing:
        config = read_run_config(run_dir)
        batches = _test_batches(config, arguments)
        attack = ProjectedGradientDescent(arguments.epsilon, ATTACK_STEPS, arguments.epsilon / 5)
        for step in missing:
            discriminator = open_run(run_dir, str(step)).load_classifier()
            accuracy = accuracy_under_attack(discriminator, batches, attack)
            known[str(step)] = {"step": step, **vars(accuracy)}
            print(run_dir, known[str(step)], flush=True)
            memory.write_text(json.dumps(known))
    return [known[step] for step in sorted(known, key=int)]


def _test_batches(
    config: JointConfig | FinetuneConfig, arguments: argparse.Namespace
) -> list[LabelledImages]:
    test = load_image_data(**config.data.loading(arguments.data_dir)).test
    return list(evaluation_batches(test.evenly_spaced(arguments.images), 100))


def _draw(records: Sequence[JsonObject]) -> bytes:
    figure = matplotlib.figure.Figure(figsize=(17, 7.5), layout="constrained")
    axes = figure.subplots(2, 4)
    labels = list(dict.fromkeys(record["label"] for record in records))
    for row, (unit, title) in zip(
        axes, {"discriminator_updates": "D updates", "seconds": "seconds"}.items(), strict=True
    ):
        for record in records:
            seed = record["config"]["train.seed"]
            style = {
                "color": f"C{labels.index(record['label'])}",
                "linestyle": ("-", "--", ":", "-.")[seed % 4],
                "label": f"{record['label']}, seed {seed}",
            }
            for axis, (name, key) in zip(row, LOSSES.items(), strict=False):
                axis.plot(record["curves"][unit], record["curves"][key], **style)
                axis.set_title(name, fontsize=10)
            for axis, (name, key) in zip(row[2:], ACCURACIES.items(), strict=True):
                points = record["accuracy"]
                axis.errorbar(
                    [point[unit] for point in points],
                    [point[key] for point in points],
                    [_interval(point[key], point["images"]) for point in points],
                    marker=".",
                    elinewidth=0.6,
                    **style,
                )
                axis.set_title(name, fontsize=10)
        for axis in row:
            axis.set_xlabel(title)
    axes[0, 0].legend(fontsize=8)
    return figure_png(figure, 60)


def _interval(share: float, count: int) -> float:
    """Half the 95 % interval of a share of `count` images."""
    return 1.96 * (share * (1.0 - share) / count) ** 0.5


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
