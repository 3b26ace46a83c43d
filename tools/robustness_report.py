"""Table 1 and Figures 2 and 6 from committed records of runs.

    python -m tools.robustness_report docs/results/EXPERIMENT

reads the records (`robgan-tf record`) in the folders below, each holding one run:
  adversarial_training/          equation (3), as many updates on real images as both stages
  adversarial_training_longer/   the same at equal wall-clock
  gan/                           stage 1, Rob-GAN before fine-tuning
  rob_gan/                       stage 2, equation (10)
and writes table.md, figure_2.png and figure_6.png beside them.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import matplotlib.figure

from robgan_tf.cli import start as command
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.reporting.figures import figure_png
from robgan_tf.robustness.table import markdown
from robgan_tf.typing import JsonObject

RUNS = {
    "adversarial_training": "adversarial training, equal D updates",
    "adversarial_training_longer": "adversarial training, equal wall-clock",
    "gan": "Rob-GAN before fine-tuning",
    "rob_gan": "Rob-GAN with fine-tuning",
}
EVALUATIONS = {
    "robustness_published_test": "",
    "robustness_published_test_best": ", best checkpoint",
}
COLOURS = {"train": "tab:red", "test": "tab:blue"}


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    records = {
        name: json.loads(next((folder / name).glob("*.json")).read_text())
        for name in RUNS
        if (folder / name).is_dir()
    }
    if not records:
        raise UserError(f"{folder} holds no record: it takes the folders {', '.join(RUNS)}")
    rows, images = _rows(records)
    table = markdown(
        rows, "PGD, 20 steps of a fifth of the radius, no random start", "linf", images
    )
    (folder / "table.md").write_text(table)
    write_atomically(folder / "figure_2.png", _figure_2(records))
    write_atomically(folder / "figure_6.png", _figure_6(rows, records))
    print(table)
    return 0


def _rows(records: Mapping[str, JsonObject]) -> tuple[dict[str, Any], str]:
    """Dict from the row's name to the radii, and one line on the images."""
    rows: dict[str, Any] = {}
    images = ""
    for name, record in records.items():
        for evaluation, suffix in EVALUATIONS.items():
            found = _evaluation(record, evaluation)
            if found is not None:
                rows[RUNS[name] + suffix] = found["radii"]
                images = found["images"]
    return rows, images


def _evaluation(record: JsonObject, name: str) -> Any:
    for stored, value in record["evaluations"].items():
        if stored == name or (name.endswith("_best") and stored.startswith(f"{name}_")):
            return value
    return None


def _figure_2(records: Mapping[str, JsonObject]) -> bytes:
    """Accuracy under attack and LLV of adversarial training, train against test."""
    name = next(name for name in reversed(RUNS) if name in records and name.startswith("adv"))
    figure = matplotlib.figure.Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots(1, 2)
    _gap(axes[0], records[name], "attacked", "accuracy under attack")
    _gap(axes[1], records[name], "lipschitz", "mean local Lipschitz value")
    figure.suptitle(f"Figure 2: {RUNS[name]}", fontsize=10)
    return figure_png(figure, 80)


def _figure_6(rows: Mapping[str, Any], records: Mapping[str, JsonObject]) -> bytes:
    """Accuracy over the radius with and without fine-tuning; the gap of Rob-GAN with it."""
    figure = matplotlib.figure.Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots(1, 2)
    for name, radii in rows.items():
        epsilons = [row["epsilon"] for row in radii]
        accuracies = [row["accuracy"] for row in radii]
        below, above = (
            [abs(row["accuracy"] - row["interval_95"][side]) for row in radii] for side in (0, 1)
        )
        axes[0].errorbar(
            epsilons, accuracies, [below, above], label=name, marker=".", capsize=2, linewidth=1
        )
    axes[0].set_xlabel("radius on [-1, 1]")
    axes[0].set_title("accuracy under attack, test images", fontsize=10)
    axes[0].legend(fontsize=7)
    axes[0].grid(alpha=0.3)
    if "rob_gan" in records:
        _gap(axes[1], records["rob_gan"], "attacked", "accuracy under attack, fine-tuning")
        axes[1].sharey(axes[0])
    figure.suptitle("Figure 6", fontsize=10)
    return figure_png(figure, 80)


def _gap(axis: matplotlib.axes.Axes, record: JsonObject, measure: str, title: str) -> None:
    curves = record["curves"]
    for split, colour in COLOURS.items():
        values = curves[f"gap/{split}_{measure}"]
        points = [
            (step, value)
            for step, value in zip(curves["step"], values, strict=True)
            if value is not None
        ]
        axis.plot(*zip(*points, strict=True), color=colour, label=split, marker=".", linewidth=1)
    axis.set_xlabel("updates")
    axis.set_title(title, fontsize=10)
    axis.set_ylim(bottom=0.0)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    sys.exit(command.finish(main))
