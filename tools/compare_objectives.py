"""Tables of trainings that differ in the objective of stage 2, from their committed records.

    python -m tools.compare_objectives docs/results/objectives

A record is FOLDER/NAME/SEED.json, made by `robgan-tf record`. Writes FOLDER/table.md: accuracy of
each record clean and under each evaluation that it has, and how many more images it withstands than
the baselines of the same seed, paired image by image.
"""

import argparse
import pathlib
import re
import sys
from collections.abc import Iterator, Sequence

from robgan_tf.comparison import outcomes
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import read_object
from robgan_tf.reporting.markdown import table
from robgan_tf.robustness.paired import paired_difference
from robgan_tf.typing import JsonObject
from robgan_tf.units import format_radius

Records = dict[tuple[str, str], JsonObject]


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument(
        "--baselines",
        nargs="+",
        default=["adversarial_training", "adversarial_training_generated"],
        metavar="NAME",
        help="names of their folders",
    )
    arguments = parser.parse_args()
    try:
        text = tables(read_records(arguments.folder), arguments.baselines)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_atomically(arguments.folder / "table.md", text.encode())
    print(text)
    return 0


def read_records(folder: pathlib.Path) -> Records:
    """The records of a folder, by name and seed; an evaluation of a best checkpoint names no step.

    Raises:
      UserError: if there are none.
    """
    found = {
        (path.parent.name, path.stem): read_object(path) for path in sorted(folder.glob("*/*.json"))
    }
    if not found:
        raise UserError(f"{folder} has no records: they are NAME/SEED.json in it")
    for record in found.values():
        evaluations = record["evaluations"].items()
        record["evaluations"] = {re.sub(r"_best_\d+", "_best", name): x for name, x in evaluations}
    return found


def tables(records: Records, baselines: Sequence[str]) -> str:
    """A Markdown table for each kind of evaluation, in the layout of the paper's Table 1.

    Args:
      records: of `read_records`.
      baselines: names of those that the others are compared with.

    Raises:
      UserError: if a baseline does not exist.
    """
    for baseline in baselines:
        if baseline not in {name for name, _ in records}:
            raise UserError(f"there is no record of {baseline!r} (--baselines)")
    kinds = dict.fromkeys(kind for record in records.values() for kind in record["evaluations"])
    lines = []
    for kind in kinds:
        if not kind.startswith("robustness"):
            continue
        rows = list(_rows(records, kind, baselines))
        some = next(x["evaluations"][kind] for x in records.values() if kind in x["evaluations"])
        radii = [format_radius(x["epsilon"]) for x in some["radii"]]
        lines += [f"**{_title(kind)}**: {some['images']}", ""]
        against = [f"at {radii[-1]}, against {_words(name)}" for name in baselines]
        lines += [*table(["objective", "seed", "update", *radii, *against], rows), ""]
    return "\n".join(lines)


def _rows(records: Records, kind: str, baselines: Sequence[str]) -> Iterator[list[str]]:
    for (name, seed), record in records.items():
        evaluation = record["evaluations"].get(kind)
        if evaluation is None:
            continue
        others = [
            records.get((baseline, seed), {"evaluations": {}})["evaluations"].get(kind)
            for baseline in baselines
        ]
        yield [
            _words(name),
            seed,
            evaluation["source"].split()[-1],
            *(f"{100.0 * x['accuracy']:.1f} %" for x in evaluation["radii"]),
            *("-" if x in (None, evaluation) else _difference(evaluation, x) for x in others),
        ]


def _difference(evaluation: JsonObject, other: JsonObject) -> str:
    """In points, with its 95 % interval, at the largest radius."""
    radius = evaluation["radii"][-1]["epsilon"]
    images = [x[outcomes.KEY]["images"] for x in (evaluation, other)]
    ours, theirs = (outcomes.withstood(x[outcomes.KEY], radius) for x in (evaluation, other))
    if ours is None or theirs is None or images[0] != images[1]:
        return "other images"
    found = paired_difference(ours, theirs)
    low, high = found.interval_95
    return f"{100.0 * found.difference:+.1f} ({100.0 * low:+.1f} to {100.0 * high:+.1f})"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _title(kind: str) -> str:
    return kind.removeprefix("robustness_").replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
