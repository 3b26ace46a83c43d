"""Draws how the cost of a step grows, from the results of `tools.benchmark`.

python -m tools.benchmark_plots docs/results/benchmark/results.json docs/images/growth.png
"""

import argparse
import json
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.figure

from robgan_tf.cli import start as command
from robgan_tf.files import write_atomically
from robgan_tf.reporting.figures import figure_png
from robgan_tf.typing import JsonObject

GROWTH = re.compile(r"width (?P<width>\d+), batch (?P<batch>\d+), (?P<resolution>\d+) px")
# What varies, and what is fixed meanwhile.
PANELS = {
    "width": {"batch": 32, "resolution": 32},
    "batch": {"width": 16, "resolution": 32},
    "resolution": {"width": 16, "batch": 8},
}


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    arguments = parser.parse_args()
    if not arguments.results.is_file():
        parser.error(f"{arguments.results} does not exist; tools.benchmark --output writes it")
    cases = json.loads(arguments.results.read_text()).get("cases", {})
    missing = {"attack_steps", "growth", "evaluated_images"} - set(cases)
    if missing:
        parser.error(f"{arguments.results} lacks the cases {', '.join(sorted(missing))}")
    figure = matplotlib.figure.Figure(figsize=(17, 3.4), layout="constrained")
    axes = figure.subplots(1, 5)
    _attack_steps(axes[0], cases["attack_steps"])
    for axis, (varied, fixed) in zip(axes[1:4], PANELS.items(), strict=True):
        _growth(axis, cases["growth"]["rows"], varied, fixed)
    _evaluated_images(axes[4], cases["evaluated_images"]["rows"])
    for axis in axes[:4]:
        axis.set_ylabel("seconds a step")
    write_atomically(arguments.picture, figure_png(figure, 70))
    return 0


def _attack_steps(axis: matplotlib.axes.Axes, case: JsonObject) -> None:
    points = [
        (int(row["variant"].removeprefix("PGD-")), row)
        for row in case["rows"]
        if row["variant"].startswith("PGD-")
    ]
    _draw(axis, points)
    axis.set_title("PGD steps (width 16, batch 64)", fontsize=9)
    axis.set_ylim(bottom=0)


def _growth(
    axis: matplotlib.axes.Axes, rows: Sequence[JsonObject], varied: str, fixed: Mapping[str, int]
) -> None:
    points = []
    for row in rows:
        found = GROWTH.match(row["variant"])
        assert found is not None, f"{row['variant']} is no variant of the case growth"
        values = {name: int(text) for name, text in found.groupdict().items()}
        if all(values[name] == value for name, value in fixed.items()):
            points.append((values[varied], row))
    _draw(axis, sorted(points, key=lambda point: point[0]))
    axis.set_title(f"{varied} ({', '.join(f'{n} {v}' for n, v in fixed.items())})", fontsize=9)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)


def _evaluated_images(axis: matplotlib.axes.Axes, rows: Sequence[JsonObject]) -> None:
    _draw(axis, [(int(row["variant"].split()[0]), row) for row in rows])
    axis.set_title("images under PGD-20 (width 16)", fontsize=9)
    axis.set_ylabel("seconds")
    axis.set_ylim(bottom=0)


def _draw(axis: matplotlib.axes.Axes, points: Any) -> None:
    """Medians with their whole range."""
    medians = [row["seconds"] for _, row in points]
    ranges = [row["seconds_range"] for _, row in points]
    below = [median - low for median, (low, _) in zip(medians, ranges, strict=True)]
    above = [high - median for median, (_, high) in zip(medians, ranges, strict=True)]
    axis.errorbar([x for x, _ in points], medians, [below, above], marker="o", capsize=3)


if __name__ == "__main__":
    sys.exit(command.finish(main))
