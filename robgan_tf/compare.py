"""Compares how runs converge: any measure against steps, D updates and training seconds.

    python -m robgan_tf.compare --run=runs/a --run=runs/b --measure=fid --reach=60 \\
        --output_dir=comparison

writes convergence.png (Figure 8), convergence.md (last and best values, the first reach of a score,
alarms of collapse, the attack's share of the time), convergence.csv (the points) and
convergence.json (the table). --run takes run directories and records of `tools.record_run`;
--run=NAME=PATH names them, and runs of one name are seeds of one configuration. --sheets puts the
newest sheets of samples side by side (Figure 7).
"""

import dataclasses
import json
import math
import pathlib

import numpy as np
from absl import flags
from PIL import Image

from robgan_tf.cli import start as command
from robgan_tf.comparison import configurations as run_configurations
from robgan_tf.comparison import curves as convergence
from robgan_tf.comparison import measures
from robgan_tf.comparison import table as convergence_table
from robgan_tf.comparison.plot import convergence_plot, side_by_side
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.reporting import read_metrics

_RUN = flags.DEFINE_multi_string(
    "run",
    [],
    "A run directory or a record of one, or NAME=PATH; repeatable, the first is the "
    "one that the others are compared with.",
)
_MEASURE = flags.DEFINE_multi_string(
    "measure", [], "Name of a measure in metrics.jsonl, or what it begins with; repeatable."
)
_REACH = flags.DEFINE_multi_string(
    "reach",
    [],
    "The score to be reached, one for each --measure in their order; the worst of the runs' best "
    "values by default.",
)
_SHEETS = flags.DEFINE_bool("sheets", False, "Put the newest sheets of samples side by side.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Where the results are written.")


@dataclasses.dataclass(frozen=True)
class _Source:
    """A run directory or a record, as given."""

    name: str | None
    path: pathlib.Path


def main():
    """Runs the command; returns its exit status."""
    if not _RUN.value or not _OUTPUT_DIR.value:
        raise UserError("what to compare, and where to? give --run, repeatedly, and --output_dir")
    scores = _scores()
    sources = [_source(text) for text in _RUN.value]
    runs = _read_runs(sources)
    if not _MEASURE.value and not _SHEETS.value:
        kinds = ", ".join(measures.kinds_of(measures.measures_of(runs)))
        raise UserError(f"compare what? give --measure, of {kinds}, or --sheets")
    run_configurations.refuse_mixed_configurations(runs)
    names = [measures.find_measure(given, runs) for given in _MEASURE.value]
    for name in names:
        run_configurations.refuse_other_features(name, runs)
    if len(set(names)) < len(names):
        raise UserError("--measure: the same measure is given twice")
    curves = {name: [convergence.curve_of(run, name) for run in runs] for name in names}
    comparisons = [
        convergence.comparison(name, curves[name], score)
        for name, score in zip(names, scores, strict=True)
    ]
    sheets = _sheets(sources, runs) if _SHEETS.value else {}
    folder = _output_folder()
    if comparisons:
        _write_comparison(folder, runs, comparisons, curves)
    if sheets:
        write_atomically(folder / "sheets.png", side_by_side(sheets))
        print(f"  written: {folder / 'sheets.png'}")
    return 0


def _scores():
    if not _REACH.value:
        return [None] * len(_MEASURE.value)
    if len(_REACH.value) != len(_MEASURE.value):
        raise UserError(
            f"--reach: give one score for each --measure, {len(_MEASURE.value)}, not "
            f"{len(_REACH.value)}"
        )
    return [_score(text) for text in _REACH.value]


def _score(text):
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise UserError(f"--reach={text}: not a number; give a score such as 60 or 0.35")
    return score


def _source(text):
    # A path may have an equals sign itself.
    name, equals, path = text.partition("=")
    if not equals or pathlib.Path(text).exists():
        return _Source(None, pathlib.Path(text))
    if not name or not path:
        raise UserError(f"--run={text}: give a path or NAME=PATH")
    return _Source(name, pathlib.Path(path))


def _read_runs(sources):
    """The runs, every one with a label of its own."""
    paths = [source.path.resolve() for source in sources]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise UserError(f"--run: {twice} is given twice")
    contents = [read_run(source.path) for source in sources]
    names = [source.name or _default_name(source.path) for source in sources]
    runs = []
    for source, name, content in zip(sources, names, contents, strict=True):
        run = convergence.Run(name, name, *content)
        if names.count(name) > 1:
            run = dataclasses.replace(run, label=f"{name}, seed {run.seed}")
        if any(run.label == other.label for other in runs):
            run = dataclasses.replace(run, label=f"{name}, {source.path}")
        runs.append(run)
    return runs


def _default_name(path):
    path = path.resolve()
    # Records are called by their seed.
    return path.name if path.is_dir() else f"{path.parent.name}/{path.stem}"


def read_run(path):
    """Reads what a comparison needs of a run.

    Args:
      path: a run directory, or a JSON file that `tools.record_run` made of one.

    Returns:
      (config, records, seconds_per_step): flat dict of settings; list of dicts with "step" and the
      metrics there; the seconds a step that a record has in place of those of its run, or None.

    Raises:
      UserError: if it is neither, or cannot be read.
    """
    path = pathlib.Path(path)
    seconds_per_step = None
    if path.is_dir() and (path / "config.json").is_file():
        config = _read_json(path / "config.json")
        if config is None:
            raise UserError(f"--run: {path / 'config.json'} holds no settings; is it damaged?")
        records = read_metrics(path / "metrics.jsonl")
    elif path.is_file():
        record = _read_json(path) or {}
        # The records of tools.compare_runs have curves too, but smoothed ones and no last step.
        curves = record.get("curves") if "last_step" in record else None
        config, records = record.get("config"), _records(curves)
        if isinstance(record.get("seconds_per_step"), float):
            seconds_per_step = record["seconds_per_step"]
    else:
        config = records = None
    if not isinstance(config, dict) or records is None:
        raise UserError(
            f"--run: {path} is neither a run directory (config.json, metrics.jsonl) nor a record "
            "that tools.record_run has made"
        )
    if not records:
        raise UserError(f"--run: {path} has no metrics yet")
    for record in records:
        for name, value in record.items():
            if type(value) not in (int, float) or not math.isfinite(value):
                raise UserError(
                    f"--run: {path} has {value!r} for {name} at step {record['step']}, and finite "
                    "numbers are needed"
                )
    return config, records, seconds_per_step


def _read_json(path):
    """The dict that a file holds, None if it holds anything else."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:  # not JSON, or not UTF-8
        value = None
    except OSError as error:
        raise UserError(f"--run: {path} cannot be read: {error.strerror}") from error
    return value if isinstance(value, dict) else None


def _records(curves):
    """The records of a record's curves; None if they are no such curves."""
    is_table = isinstance(curves, dict) and all(isinstance(x, list) for x in curves.values())
    if not is_table or "step" not in curves or len({len(x) for x in curves.values()}) > 1:
        return None
    records = [
        {name: value for name, value in zip(curves, row, strict=True) if value is not None}
        for row in zip(*curves.values(), strict=True)
    ]
    return records if all(type(record.get("step")) is int for record in records) else None


def _output_folder():
    folder = pathlib.Path(_OUTPUT_DIR.value)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={folder} cannot be used: {error.strerror}") from error
    return folder


def _write_comparison(folder, runs, comparisons, curves):
    report = convergence.report(runs, comparisons)
    table = convergence_table.markdown(report)
    contents = {
        "md": table,
        "csv": convergence_table.curves_csv(curves),
        "json": json.dumps(report, indent=1) + "\n",
        "png": convergence_plot(comparisons, curves, _caption(runs)),
    }
    for ending, content in contents.items():
        write_atomically(folder / f"convergence.{ending}", content)
    print(table)
    print(f"  written: {folder / 'convergence.png'}, .md, .csv and .json")


def _caption(runs):
    caption = "Dashed: the score to reach. Dots: where a run first does."
    untimed = [run.label for run in runs if not run.has_seconds]
    if untimed:
        caption += f" Without recorded seconds: {'; '.join(untimed)}."
    if not all(run.is_joint for run in runs):
        caption += " D updates of the finetune command are updates of its classifier."
    return caption


def _sheets(sources, runs):
    """Dict from name to the newest sheet of each run."""
    classes = {(run.config.get("data.dataset"), run.config.get("data.num_classes")) for run in runs}
    if len(classes) > 1:
        raise UserError("--sheets: the runs are of different data, their rows different classes")
    sheets = {}
    for source, run in zip(sources, runs, strict=True):
        path = _newest_sheet(source.path)
        if path is None:
            raise UserError(
                f"--sheets: {source.path} has none (samples/step_*.png of a run directory, "
                "<record>_samples.png beside a record)"
            )
        step = path.stem.removeprefix("step_")
        name = f"{run.label}, step {int(step):,}" if step.isdecimal() else run.label
        try:
            with Image.open(path) as picture:
                sheets[name] = np.asarray(picture.convert("RGB"))
        except (OSError, SyntaxError) as error:
            raise UserError(f"--sheets: {path} cannot be read: {error}") from error
    return sheets


def _newest_sheet(path):
    if path.is_dir():
        return max((path / "samples").glob("step_*.png"), default=None)
    beside = path.with_name(f"{path.stem}_samples.png")
    return beside if beside.is_file() else None


if __name__ == "__main__":
    command.run(main)
