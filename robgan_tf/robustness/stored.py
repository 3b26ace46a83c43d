"""An evaluation on disk, which an interrupted one continues."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from robgan_tf.errors import UserError, first_line, one_line
from robgan_tf.files import read_npz, write_atomically
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.robustness.outcome import Outcome
from robgan_tf.robustness.signs import Check, MaskingReport
from robgan_tf.typing import PathLike

# A file holds so many images.
PART_SIZE = 500


class StoredEvaluation:
    """Outcomes of one evaluation on disk, part by part: what is there is not attacked again.

    Args:
      directory: where parts are kept; created if it does not exist.
      protocol: JSON-able dict of everything that determines the outcome.

    Raises:
      UserError: if the directory holds parts of another protocol.
    """

    def __init__(self, directory: PathLike, protocol: Mapping[str, Any]) -> None:
        self._directory = pathlib.Path(directory)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self._directory} cannot be written: {error.strerror}; give another --output_dir"
            ) from error
        path = self._directory / "protocol.json"
        protocol = json.loads(json.dumps(protocol))
        if path.exists():
            stored = read_object(path, MEASURE_ANEW)
            different = sorted(
                name for name in {*stored, *protocol} if stored.get(name) != protocol.get(name)
            )
            if different:
                raise UserError(
                    f"{self._directory} holds an evaluation that differs in "
                    f"{', '.join(different)}: give another --name"
                )
        else:
            write_atomically(path, json.dumps(protocol, indent=1) + "\n")

    def outcome(self, key: str, part: int, compute: Callable[[], Outcome]) -> Outcome:
        """Returns a part's Outcome: the stored one, or what `compute` returns, then stored.

        Args:
          key: name of the radius.
          part: number of the part.
          compute: function without arguments that returns an Outcome.

        Raises:
          UserError: if the stored one cannot be read.
        """
        path = self._directory / f"{key}_part_{part:04d}.npz"
        if path.exists():
            return _read_outcome(path)
        outcome = compute()
        write_atomically(path, lambda file: np.savez(file, **vars(outcome)))
        return outcome

    def masking(self, compute: Callable[[], MaskingReport] | None) -> MaskingReport:
        """Returns the stored masking report, or else the one that `compute` returns.

        Args:
          compute: function without arguments that returns a MaskingReport, then stored; None
            where it is not wanted.
        """
        path = self._directory / "masking.json"
        if path.exists():
            return _read_masking(path)
        if compute is None:
            return MaskingReport()
        report = compute()
        write_atomically(path, json.dumps(dataclasses.asdict(report)))
        return report


def _read_outcome(path: pathlib.Path) -> Outcome:
    names = [field.name for field in dataclasses.fields(Outcome)]
    try:
        predictions, fooled_by, adversarial, seconds = read_npz(path, names).values()
        if not predictions.shape == fooled_by.shape == adversarial.shape[:1]:
            raise ValueError("its arrays are of different lengths")
        return Outcome(predictions, fooled_by, adversarial, float(seconds))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read: {first_line(error)}; remove it, and its images are attacked "
            "anew"
        ) from error


def _read_masking(path: pathlib.Path) -> MaskingReport:
    try:
        stored = json.loads(path.read_bytes())
        # Version 0.2.0 and before kept the signs alone, always of the first images.
        if isinstance(stored, list):
            stored = {"images": "The first images of the table above", "checks": stored}
        return MaskingReport(stored["images"], [Check(**check) for check in stored["checks"]])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}; {MEASURE_ANEW}") from error
