"""What is compared, as given: run directories and records of runs, and what is read of them."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

from robgan_tf.comparison.run import Run
from robgan_tf.errors import UserError
from robgan_tf.reporting import read_metrics
from robgan_tf.reporting.former_names import present_names
from robgan_tf.runs.archive import run_directory


@dataclasses.dataclass(frozen=True)
class Source:
    """A run directory or a record, as given.

    Attributes:
      name: that it is to have, or None.
      path: of it.
    """

    name: str | None
    path: pathlib.Path


def parse_source(text: str) -> Source:
    """Reads PATH or NAME=PATH.

    Raises:
      UserError: if name or path is missing.
    """
    # A path may have an equals sign itself.
    name, equals, path = text.partition("=")
    if not equals or pathlib.Path(text).exists():
        return Source(None, run_directory(text))
    if not name or not path:
        raise UserError(f"--run={text}: give a path or NAME=PATH")
    return Source(name, run_directory(path))


def read_runs(sources: Sequence[Source]) -> list[Run]:
    """Reads the runs, every one with a label of its own.

    Raises:
      UserError: if one is given twice, or cannot be read.
    """
    paths = [source.path.resolve() for source in sources]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise UserError(f"--run: {twice} is given twice")
    contents = [read_run(source.path) for source in sources]
    names = [source.name or _default_name(source.path) for source in sources]
    runs: list[Run] = []
    for source, name, content in zip(sources, names, contents, strict=True):
        run = Run(name, name, *content)
        if names.count(name) > 1:
            run = dataclasses.replace(run, label=f"{name}, seed {run.seed}")
        if any(run.label == other.label for other in runs):
            run = dataclasses.replace(run, label=f"{name}, {source.path}")
        runs.append(run)
    return runs


def _default_name(path: pathlib.Path) -> str:
    path = path.resolve()
    # Records are called by their seed.
    return path.name if path.is_dir() else f"{path.parent.name}/{path.stem}"


def read_run(path: str | pathlib.Path) -> tuple[dict[str, Any], list[dict], float | None]:
    """Reads what a comparison needs of a run.

    Args:
      path: a run directory, or a JSON file that `robgan-tf record` made of one.

    Returns:
      (config, records, seconds_per_step): flat dict of settings; list of dicts with "step" and the
      metrics there; the seconds a step that a record has in place of those of its run, or None.

    Raises:
      UserError: if it is neither, or cannot be read.
    """
    path = pathlib.Path(path)
    seconds_per_step = None
    records: list[dict] | None
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
            "that robgan-tf record has made"
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


def _read_json(path: pathlib.Path) -> dict[str, Any] | None:
    """The dict that a file holds, None if it holds anything else."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:  # not JSON, or not UTF-8
        value = None
    except OSError as error:
        raise UserError(f"--run: {path} cannot be read: {error.strerror}") from error
    return value if isinstance(value, dict) else None


def _records(curves: Any) -> list[dict] | None:
    """The records of a record's curves; None if they are no such curves."""
    is_table = isinstance(curves, dict) and all(isinstance(x, list) for x in curves.values())
    if not is_table or "step" not in curves or len({len(x) for x in curves.values()}) > 1:
        return None
    records = [
        present_names(
            {name: value for name, value in zip(curves, row, strict=True) if value is not None}
        )
        for row in zip(*curves.values(), strict=True)
    ]
    return records if all(type(record.get("step")) is int for record in records) else None
