"""metrics.jsonl: one JSON object a line, one line a step, only ever appended to."""

import json
import math
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from robgan_tf.errors import UserError
from robgan_tf.files import flush_to_disk
from robgan_tf.reporting.former_names import present_names
from robgan_tf.reporting.metrics_lines import mend, read_lines, write_lines


class MetricsFile:
    """Appends the metrics of a run to a file that outlives kills and resumes.

    Steps in the file strictly increase. A run that is killed resumes from its
    last checkpoint and recomputes the steps after it, with the same values; the
    lines already written stay and the recomputed ones are skipped.

    A line that is missing between others is written in its place.

    Opening removes a last line that a kill or a power cut left unfinished, and
    moves what is no metrics line to a file beside it.
    """

    def __init__(self, path: str | os.PathLike, say: Callable[[str], object] = print):
        """Opens the file, or prepares to create it at the first write.

        Args:
          path: the file; its parent directories are created.
          say: prints a line, of damaged lines.
        """
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        records = mend(self._path, say).records if self._path.exists() else []
        self._steps = {record["step"] for record in records}

    @property
    def last_step(self) -> int:
        """The step of the last line, 0 if there is none."""
        return max(self._steps, default=0)

    def write(self, step: int, values: dict[str, float]) -> bool:
        """Appends one line, on disk for other programs when this returns.

        Args:
          step: the number of steps done; at least 0.
          values: finite numbers by name: Python, NumPy or TensorFlow scalars.
            Integers are kept as integers, all else becomes a float.

        Returns:
          True if the line was written; False if the file already holds this
          step, and was left alone.

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
        if step in self._steps:
            return False
        line = json.dumps(record, allow_nan=False).encode()
        if self._steps and step < self.last_step:
            self._insert(step, line)
        else:
            with self._path.open("ab") as file:
                file.write(line + b"\n")
        self._steps.add(step)
        return True

    def flush_to_disk(self) -> None:
        """Returns when every line would outlive a power cut."""
        if self._path.exists():
            flush_to_disk(self._path)

    def _insert(self, step: int, line: bytes) -> None:
        lines = read_lines(self._path)
        place = sum(record["step"] < step for record in lines.records)
        write_lines(self._path, [*lines.texts[:place], line, *lines.texts[place:]])


def read_metrics(path: str | os.PathLike) -> list[dict]:
    """Reads a metrics file without changing it, also while a run is writing it.

    Args:
      path: a file written by MetricsFile.

    Returns:
      One dict a line, each with "step" and the metrics of that step under the
      names they have now; a last line that is not yet complete is left out.

    Raises:
      UserError: if there is no such file, it cannot be read, or a line is not one
        MetricsFile writes.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such metrics file")
    try:
        lines = read_lines(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if lines.bad:
        number, text, wrong = lines.bad[0]
        raise UserError(f"{path}, line {number}: {wrong}: {text[:80]!r}; training on mends it")
    return [present_names(record) for record in lines.records]


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
