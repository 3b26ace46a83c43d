"""Compares AutoAttack with the authors' own code in PyTorch, on the same weights.

    python -m tools.compare_autoattack --run_dir=RUN --data_dir=DIR --norm=linf --epsilon=8/255 \\
        --pytorch_python=ENV/bin/python --work_dir=PIECES --output=FILE.json

The run's D is copied to PyTorch, frozen and in channels last, and must give the same logits there.
Then each deterministic part of the ensemble attacks alone all images that are classified correctly,
Auto-PGD from the same starts on both sides; Square attacks those that either side has left. An
image withstands a side's ensemble where it withstands all parts. --square_images compares Square
alone by seeds, --ensemble_images the whole ensemble as users of either run it, --fab_step_images
single steps of FAB from where the reference's begin. Sides take turns
batch by batch, and times are processor times, so that other work on the machine treats both alike.
What has been measured is kept in --work_dir: the same command goes on where it was stopped. The
tables of all records of a folder are in tables.md beside them.
"""

import argparse
import functools
import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence

from robgan_tf.cli import (
    start as command,  # its environment settings come before TensorFlow is imported
)

# isort: split
import keras
import numpy as np
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.stages.finished import open_run
from robgan_tf.typing import JsonObject
from robgan_tf.units import parse_radius
from tools.attack_comparison import verdict_report as report
from tools.attack_comparison.libraries import AUTOATTACK, Libraries
from tools.attack_comparison.parts import Part, parts
from tools.attack_comparison.pieces import Pieces
from tools.attack_comparison.pytorch_copy import kernels, same_logits
from tools.attack_comparison.subject import BATCH_SIZE, in_float32, subject_of
from tools.attack_comparison.verdicts import Sides
from tools.benchmarks.machine import describe

MADE_BY = "tools.compare_autoattack"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status.

    Args:
      argv: arguments without the command; those of the process if not given.
    """
    arguments = _arguments(argv)
    run = in_float32(open_run(arguments.run_dir, arguments.checkpoint))
    # The advice against tracing a method for each attack is no news.
    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = run.load_classifier()
    arrays = kernels(model)
    subject, chosen = subject_of(run, model, arguments.data_dir, arguments.images)
    logits = subject.logits()
    clean = logits.argmax(axis=1) == subject.labels
    record = {
        "made_by": MADE_BY,
        "name": arguments.name or run.name,
        "model": run.identity,
        "norm": arguments.norm,
        "epsilon": arguments.epsilon,
        "chosen": chosen,
        "images": len(clean),
        "clean_accuracy": float(clean.mean()),
        "batch_size": BATCH_SIZE,
        "threads": 1,
    }
    pieces = Pieces(arguments.work_dir, record)
    with Libraries(
        arguments.pytorch_python, arrays, subject.images, subject.labels, 1, AUTOATTACK
    ) as reference:
        record["versions"] = {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            **reference.versions,
        }
        record["largest_logit_difference"] = same_logits(logits, reference.logits)
        sides = Sides(subject, reference, arguments.norm, arguments.epsilon)
        comparison = _Comparison(sides, pieces, clean, arguments)
        record |= comparison.run(parts(arguments.norm, arguments.epsilon, logits.shape[1]))
    record["machine"] = describe()
    print(report.markdown(record))
    if arguments.output:
        write_atomically(arguments.output, json.dumps(record, indent=1) + "\n")
        write_tables(arguments.output.parent)
    return 0


def write_tables(folder: pathlib.Path) -> None:
    """Writes tables.md of all records of a folder beside them."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    records = [one for one in found if isinstance(one, dict) and one.get("made_by") == MADE_BY]
    write_atomically(folder / "tables.md", "\n".join(map(report.markdown, records)))


class _Comparison:
    """The pieces of a comparison, in order."""

    def __init__(
        self, sides: Sides, pieces: Pieces, clean: np.ndarray, arguments: argparse.Namespace
    ) -> None:
        self._sides = sides
        self._pieces = pieces
        self._clean = clean
        self._arguments = arguments
        self._compiled: set[str] = set()

    def run(self, every: Sequence[Part]) -> JsonObject:
        """Returns the rows of the parts that were asked for, and what else was."""
        some = np.flatnonzero(self._clean)[:BATCH_SIZE]
        costs = self._pieces.get("costs", lambda: self._sides.costs(some))
        asked = [part for part in every if part.name in self._arguments.parts]
        left = dict.fromkeys(report.SIDES, self._clean)
        rows = []
        for part in asked:
            attacked = self._clean if part.is_deterministic else left["ours"] | left["reference"]
            found = self._part(part, np.flatnonzero(attacked), part.name)
            rows.append(report.row(part.name, found, attacked, costs))
            verdicts = report.verdicts(found, attacked)
            left = {side: left[side] & verdicts[side] for side in report.SIDES}
        results: JsonObject = {"costs": costs, "rows": [*rows, _whole(left, rows)]}
        if self._arguments.square_images:
            results["square_by_seed"] = self._square(every[-1])
        if self._arguments.fab_step_images:
            few = np.flatnonzero(self._clean[: self._arguments.fab_step_images])
            steps = self._arguments.fab_steps
            measure = functools.partial(self._sides.fab_steps, few, steps)
            results["fab_steps"] = self._pieces.get("fab_steps", measure)
        if self._arguments.ensemble_images:
            results["by_the_reference_itself"] = self._ensemble(every, costs)
        return results

    def _part(self, part: Part, rows: np.ndarray, name: str, seed: int = 0) -> list[JsonObject]:
        return self._measured(name, [part], rows, lambda batch: self._sides.part(part, batch, seed))

    def _measured(
        self,
        name: str,
        parts: Sequence[Part],
        rows: np.ndarray,
        measure: Callable[[np.ndarray], JsonObject],
    ) -> list[JsonObject]:
        """The pieces of so many images each, those that are not there yet measured."""

        def measure_compiled(batch: np.ndarray) -> JsonObject:
            cold = [part for part in parts if part.name not in self._compiled]
            self._sides.warm_up([part.attack for part in cold], rows[0])
            self._compiled |= {part.name for part in cold}
            print(f"{name}: {batch[0]} to {batch[-1]} ...", file=sys.stderr, flush=True)
            return measure(batch)

        batches = [rows[first : first + BATCH_SIZE] for first in range(0, len(rows), BATCH_SIZE)]
        return [
            self._pieces.get(f"{name}_{number}", functools.partial(measure_compiled, batch))
            for number, batch in enumerate(batches)
        ]

    def _square(self, part: Part) -> JsonObject:
        """Square alone on the first images, by seed."""
        few = self._clean[: self._arguments.square_images]
        seeds = range(self._arguments.square_seeds)
        rows = np.flatnonzero(few)
        found = [self._part(part, rows, f"square_seed_{seed}", seed) for seed in seeds]
        return report.spread(found, few)

    def _ensemble(self, every: Sequence[Part], costs: JsonObject) -> JsonObject:
        """The whole ensemble on the first images, those that are misclassified too."""
        attacks = [part.attack for part in every]
        few = self._clean[: self._arguments.ensemble_images]

        found = self._measured(
            "ensemble",
            every,
            np.arange(len(few)),
            lambda batch: self._sides.ensemble(attacks, batch, BATCH_SIZE),
        )
        return {"images": len(few), **report.row("ensemble", found, few, costs)}


def _whole(left: dict[str, np.ndarray], rows: Sequence[JsonObject]) -> JsonObject:
    """The row of the ensemble: what withstands all of a side's parts."""
    seconds = {side: sum(row["processor_seconds"][side] for row in rows) for side in report.SIDES}
    ratio = seconds["reference"] / seconds["ours"]
    ratios = [row["times_as_fast"]["total"] for row in rows]
    return {
        "attack": "all of these",
        "attacked": max(row["attacked"] for row in rows),
        **report.compared(left),
        "processor_seconds": seconds,
        "times_as_fast": {"total": ratio, "range": [min(ratios), max(ratios)]},
    }


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    # An error is one line without it.
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], usage=argparse.SUPPRESS)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--checkpoint", default="last", help="last, best or a step that was kept")
    parser.add_argument("--name", default="", help="of the model, for tables")
    parser.add_argument("--data_dir", default=os.environ.get("TFDS_DATA_DIR"))
    parser.add_argument("--pytorch_python", required=True, help="with torch and pyautoattack")
    parser.add_argument("--norm", choices=tuple(report.RADII), default="linf")
    parser.add_argument("--epsilon", required=True, help="on [-1, 1], or k/255 of [0, 1]")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--parts", default="apgd-ce,apgd-t,fab-t,square", help="of the ensemble")
    parser.add_argument("--square_images", type=int, default=0, help="for Square alone, by seed")
    parser.add_argument("--square_seeds", type=int, default=5)
    parser.add_argument("--ensemble_images", type=int, default=0, help="for the whole ensemble")
    parser.add_argument("--fab_step_images", type=int, default=0, help="for single steps of FAB")
    parser.add_argument("--fab_steps", type=int, default=10, help="of each of them")
    parser.add_argument("--work_dir", required=True, help="where pieces are kept")
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write")
    arguments = parser.parse_args(argv)
    try:
        arguments.epsilon = parse_radius(arguments.epsilon)
    except ValueError as error:
        raise UserError(f"--epsilon={error}") from error
    if not arguments.epsilon > 0.0:
        raise UserError("--epsilon: give a radius above 0")
    arguments.parts = arguments.parts.split(",")
    known = parser.get_default("parts").split(",")
    for name in arguments.parts:
        if name not in known:
            raise UserError(f"--parts: there is no {name!r}; choose of {', '.join(known)}")
    for name in ("images", "square_seeds", "fab_steps"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name}={getattr(arguments, name)}: give at least 1")
    for name in ("square_images", "ensemble_images", "fab_step_images"):
        if not 0 <= getattr(arguments, name) <= arguments.images:
            raise UserError(
                f"--{name}={getattr(arguments, name)}: give 0 to --images={arguments.images}"
            )
    # Not found out after the attacks.
    if arguments.output and not arguments.output.parent.is_dir():
        raise UserError(f"--output={arguments.output}: there is no such directory")
    return arguments


if __name__ == "__main__":
    sys.exit(command.finish(main))
