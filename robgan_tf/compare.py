"""Compares how runs converge: any measure against steps, D updates and training seconds.

    python -m robgan_tf.compare --run=runs/a --run=runs/b --measure=fid --reach=60 \\
        --output_dir=comparison

writes convergence.png (Figure 8), convergence.md (last and best values, the first reach of a score,
alarms of collapse, the attack's share of the time), convergence.csv (the points) and
convergence.json (the table). --run takes run directories and records of `robgan-tf record`;
--run=NAME=PATH names them, and runs of one name are seeds of one configuration. --sheets puts the
newest sheets of samples side by side (Figure 7).

    python -m robgan_tf.compare --card=results/cards/a.json --card=results/cards/b.json

compares accuracies under attack instead, of models on the same images: the paired difference with
its 95 % interval, from the cards that `evaluate robustness` writes.
"""

import json
import math
import sys
from collections.abc import Sequence

from robgan_tf.cli import start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    parser.group("What to compare")
    parser.flag(
        "run",
        "A run directory or a record of one, or NAME=PATH; repeatable, the first is the one that "
        "the others are compared with.",
        values.path,
        repeated=True,
        form="[NAME=]PATH",
    )
    parser.flag(
        "measure",
        "Name of a measure in metrics.jsonl, or what it begins with; repeatable.",
        repeated=True,
        form="NAME",
    )
    parser.flag(
        "reach",
        "The score to be reached, one for each --measure in their order; the worst of the runs' "
        "best values by default.",
        _score,
        repeated=True,
        form="SCORE",
    )
    parser.flag(
        "card",
        "In place of runs: a card of accuracy under attack, cards/NAME.json of `evaluate "
        "robustness`; repeatable, the first is the one that the others are compared with.",
        values.path,
        repeated=True,
        form="FILE",
    )
    parser.switch("sheets", "Put the newest sheets of samples side by side.")
    parser.group("Results")
    parser.flag("output_dir", "Where the results are written.", values.path, form="DIR")


def compare(given: Values) -> int:
    """Compares as the flags say."""
    if given.card:
        return _compare_cards(given)
    if not given.run or not given.output_dir:
        raise UserError("what to compare, and where to? give --run, repeatedly, and --output_dir")
    if given.reach and len(given.reach) != len(given.measure):
        raise UserError(
            f"--reach: give one score for each --measure, {len(given.measure)}, not "
            f"{len(given.reach)}"
        )
    # The pictures' libraries take a second to load: --help should not have to wait for them.
    from robgan_tf.comparison import configurations, curves, measures, results
    from robgan_tf.comparison.sources import parse_source, read_runs

    sources = [parse_source(text) for text in given.run]
    runs = read_runs(sources)
    if not given.measure and not given.sheets:
        kinds = ", ".join(measures.kinds_of(measures.measures_of(runs)))
        raise UserError(f"compare what? give --measure, of {kinds}, or --sheets")
    configurations.refuse_mixed_configurations(runs)
    names = [measures.find_measure(text, runs) for text in given.measure]
    for name in names:
        configurations.refuse_other_features(name, runs)
    if len(set(names)) < len(names):
        raise UserError("--measure: the same measure is given twice")
    found = {name: [curves.curve_of(run, name) for run in runs] for name in names}
    comparisons = [
        curves.comparison(name, found[name], score)
        for name, score in zip(names, given.reach or [None] * len(names), strict=True)
    ]
    sheets = results.read_sheets(sources, runs) if given.sheets else {}
    folder = results.output_folder(given.output_dir)
    if comparisons:
        print(results.write_comparison(folder, runs, comparisons, found))
        print(f"  written: {folder / 'convergence.png'}, .md, .csv and .json")
    if sheets:
        print(f"  written: {results.write_sheets(folder, sheets)}")
    return 0


def _compare_cards(given: Values) -> int:
    given.refuse(["run", "measure", "reach", "sheets"], "is of runs, and not of cards")
    if len(given.card) < 2:
        raise UserError("--card: give two of them at least, one that the other is compared with")
    with tensorflow_loading():
        from robgan_tf.comparison import cards

    found = [cards.read_card(path) for path in given.card]
    rows = cards.compare_cards(found, given.card)
    text = cards.markdown_of_cards(rows, found[0])
    print(text)
    if given.output_dir:
        from robgan_tf.comparison.results import output_folder

        folder = output_folder(given.output_dir)
        write_atomically(folder / "cards.md", text)
        write_atomically(folder / "cards.json", json.dumps(cards.as_json(rows), indent=1) + "\n")
        print(f"  written: {folder / 'cards.md'} and .json")
    return 0


def _score(flag: str, text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise UserError(f"{flag}={text}: not a number; give a score such as 60 or 0.35")
    return score


COMMAND = Command(
    "compare",
    "Compares how runs converge: any measure against steps, D updates and training seconds, as a "
    "plot (Figure 8), a table, CSV and JSON. Runs of one name are seeds of one configuration. Or "
    "models under attack, by their cards (--card).",
    "--run=runs/quickstart --run=PGD-3=runs/other --measure=fid --output_dir=comparison",
    add_flags,
    compare,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
