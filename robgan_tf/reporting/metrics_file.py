"""metrics.jsonl: one JSON object a line, one line a step, only ever appended to."""

import json
import math
import operator
import os
from pathlib import Path
from typing import Any

import numpy as np

from robgan_tf.errors import UserError
from robgan_tf.files import flush_to_disk
from robgan_tf.reporting.former_names import present_names

_LINE_START = b'{"step": '


class MetricsFile:
    """Appends the metrics of a run to a file that outlives kills and resumes.

    Steps in the file strictly increase. A run that is killed resumes from its
    last checkpoint and recomputes the steps after it, with the same values; the
    lines already written stay and the recomputed ones are skipped.

    Opening removes a last line that a kill cut short, and nothing else.
    """

    def __init__(self, path: str | os.PathLike):
        """Opens the file, or prepares to create it at the first write.

        Args:
          path: the file; its parent directories are created.

        Raises:
          UserError: if a line is not one this class writes; the file is then
            left as it is.
        """
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._last_step: int | None = None
        if self._path.exists():
            records, fragment = _parse(self._path)
            if records:
                self._last_step = records[-1]["step"]
            _mend_end(self._path, fragment)

    @property
    def last_step(self) -> int:
        """The step of the last line, 0 if there is none."""
        return self._last_step or 0

    def write(self, step: int, values: dict[str, float]) -> bool:
        """Appends one line, on disk for other programs when this returns.

        Args:
          step: the number of steps done; at least 0.
          values: finite numbers by name: Python, NumPy or TensorFlow scalars.
            Integers are kept as integers, all else becomes a float.

        Returns:
          True if the line was written; False if the file already holds this
          step or a later one, and was left alone.

        Raises:
          ValueError: if a value is infinite or NaN, the step is negative, or a
            name is "step".
          TypeError: if a value is not a number, a name not a string or the
            step not an integer.
        """
        step = operator.index(step)
        if step < 0:
            raise ValueError(f"the step of a metrics line must be at least 0, not {step}")
        if "step" in values:
            raise ValueError('a metric may not be named "step": every line has that already')
        record = {"step": step} | {name: _number(name, value) for name, value in values.items()}
        if self._last_step is not None and step <= self._last_step:
            return False
        line = json.dumps(record, allow_nan=False) + "\n"
        with self._path.open("ab") as file:
            file.write(line.encode())
        self._last_step = step
        return True

    def flush_to_disk(self) -> None:
        """Returns when every line would outlive a power cut."""
        if self._path.exists():
            flush_to_disk(self._path)


def read_metrics(path: str | os.PathLike) -> list[dict]:
    """Reads a metrics file without changing it, also while a run is writing it.

    Args:
      path: a file written by MetricsFile.

    Returns:
      One dict a line, each with "step" and the metrics of that step under the
      names they have now; a last line that is not yet complete is left out.

    Raises:
      UserError: if there is no such file, or a line is not one MetricsFile writes.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such metrics file")
    return [present_names(record) for record in _parse(path)[0]]


def _number(name: str, value: Any) -> int | float:
    if not isinstance(name, str):
        raise TypeError(f"the name of a metric must be a string, not {name!r}")
    if hasattr(value, "numpy"):  # TensorFlow; np.asarray does not take its bfloat16
        value = value.numpy()
    array = np.asarray(value)
    number = array.item() if array.ndim == 0 else None
    if type(number) is int:
        return number
    if type(number) is not float:
        raise TypeError(f"metric {name!r} must be a number, not {value!r}")
    if not math.isfinite(number):
        raise ValueError(f"metric {name!r} must be finite, not {number}")
    return number


def _parse(path: Path) -> tuple[list[dict], bytes]:
    """Returns the complete lines as dicts, and the bytes of a last line cut short."""
    lines = path.read_bytes().split(b"\n")
    unfinished = lines.pop()  # empty when the file ends with a newline, as it should
    records: list[dict] = []
    for number, line in enumerate(lines, start=1):
        record = _parse_line(line)
        if record is None:
            raise UserError(f"{path}, line {number}: not a metrics line: {line[:80]!r}")
        _check_order(path, number, records, record)
        records.append(record)
    record = _parse_line(unfinished)
    if record is not None:  # a kill took only the newline: nothing is lost
        _check_order(path, len(lines) + 1, records, record)
        records.append(record)
        return records, b""
    if unfinished[: len(_LINE_START)] != _LINE_START[: len(unfinished)]:
        # Removing the end of a file that this class did not write would destroy it.
        raise UserError(f"{path}, line {len(lines) + 1}: not a metrics line: {unfinished[:80]!r}")
    return records, unfinished


def _parse_line(line: bytes) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:  # not JSON, or not UTF-8
        return None
    if not isinstance(record, dict) or type(record.get("step")) is not int:
        return None
    return record


def _check_order(path: Path, number: int, records: list[dict], record: dict) -> None:
    if records and record["step"] <= records[-1]["step"]:
        raise UserError(
            f"{path}, line {number}: step {record['step']} follows step {records[-1]['step']}; "
            "steps must increase"
        )


def _mend_end(path: Path, fragment: bytes) -> None:
    """Makes the file end with a complete line, so that the next one starts afresh."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if fragment:
            file.truncate(size - len(fragment))
        elif size > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
