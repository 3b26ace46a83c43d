"""An evaluation on disk, which an interrupted one continues."""

import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from typing_extensions import override

from robgan_tf.errors import UserError, first_line, one_line
from robgan_tf.files import read_npz, write_atomically
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.robustness.evaluation import RobustnessEvaluation, Watcher
from robgan_tf.robustness.signs import Check, MaskingReport
from robgan_tf.robustness.standing import Standing
from robgan_tf.typing import PathLike

PART_SIZE = 500  # images a file
KEEP_EVERY = 60.0  # seconds: what an interrupted evaluation does again at most, and a batch


class StoredEvaluation:
    """What is known of images on disk, part by part: what is there is not attacked again.

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

    def standing(self, key: str, images: np.ndarray, rounds: int) -> Standing:
        """What is known of images at a radius: what is stored of them, else nothing.

        Args:
          key: name of the radius.
          images: float32 [N, H, W, C].
          rounds: of all attacks together.

        Raises:
          UserError: if something that is stored cannot be read.
        """
        standing = Standing.before(images)
        for part, rows in enumerate(_parts(len(images))):
            whole, unfinished = self._paths(key, part)
            path = whole if whole.exists() else unfinished
            if path.exists():
                _read_part(path, standing, rows, rounds if path == whole else None)
        return standing

    def keep(self, key: str, standing: Standing, rounds: int, parts: Iterable[int]) -> None:
        """Stores what is known of some parts; `standing` knows where it is to go on.

        A part of which nothing is left to be done is stored as earlier versions store theirs.

        Args:
          key: name of the radius.
          standing: of all images.
          rounds: of all attacks together.
          parts: numbers of those that have changed.
        """
        of_parts = list(_parts(len(standing.rounds)))
        for part in parts:
            rows = of_parts[part]
            arrays: dict[str, Any] = {
                name: getattr(standing, name)[rows]
                for name in ("predictions", "fooled_by", "adversarial")
            }
            arrays["seconds"] = standing.seconds[rows].sum()
            whole, unfinished = self._paths(key, part)
            if standing.finished(rounds)[rows].all():
                _save(whole, arrays)
                unfinished.unlink(missing_ok=True)
            else:
                _save(unfinished, {**arrays, "rounds": standing.rounds[rows]})

    def _paths(self, key: str, part: int) -> tuple[pathlib.Path, pathlib.Path]:
        """Where a part is when it is finished, and before."""
        name = f"{key}_part_{part:04d}"
        return self._directory / f"{name}.npz", self._directory / f"{name}_unfinished.npz"

    @property
    def has_masking(self) -> bool:
        """Whether a masking report is stored."""
        return self._masking_path.exists()

    def masking(self, compute: Callable[[], MaskingReport] | None) -> MaskingReport:
        """Returns the stored masking report, or else the one that `compute` returns.

        Args:
          compute: function without arguments that returns a MaskingReport, then stored; None
            where it is not wanted.
        """
        if self.has_masking:
            return _read_masking(self._masking_path)
        if compute is None:
            return MaskingReport()
        report = compute()
        write_atomically(self._masking_path, json.dumps(dataclasses.asdict(report)))
        return report

    @property
    def _masking_path(self) -> pathlib.Path:
        return self._directory / "masking.json"


class Keeping(Protocol):
    """Where an evaluation is kept."""

    def keep(self, key: str, standing: Standing, rounds: int, parts: Iterable[int]) -> None:
        """As `StoredEvaluation.keep`."""


class Keeper(Watcher):
    """Stores an evaluation now and then while it goes on, and in the end.

    Args:
      stored: where.
      key: name of the radius.
      standing: what is known of the images, which the evaluation changes.
      evaluation: which goes on; what it finds is not kept while too few gradients are finite.
      clock: returns the time in seconds from any origin.
    """

    def __init__(
        self,
        stored: Keeping,
        key: str,
        standing: Standing,
        evaluation: RobustnessEvaluation,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep = functools.partial(stored.keep, key, standing, evaluation.rounds)
        self._evaluation = evaluation
        self._clock = clock
        self._last = clock()
        self._changed: set[int] = set()

    @override
    def done(self, chosen: np.ndarray, fooled: int) -> None:
        self._changed.update((chosen // PART_SIZE).tolist())
        if self._clock() - self._last > KEEP_EVERY and self._evaluation.sound:
            self.flush()

    def flush(self) -> None:
        """Stores what is new."""
        self._keep(sorted(self._changed))
        self._changed.clear()
        self._last = self._clock()


def _parts(count: int) -> Iterator[slice]:
    for first in range(0, count, PART_SIZE):
        yield slice(first, min(first + PART_SIZE, count))


def _save(path: pathlib.Path, arrays: Mapping[str, Any]) -> None:
    write_atomically(path, lambda file: np.savez(file, **arrays))


def _read_part(path: pathlib.Path, standing: Standing, rows: slice, rounds: int | None) -> None:
    """Reads what a file holds of some rows; `rounds` is what a finished part has been through."""
    names = ["predictions", "fooled_by", "adversarial", "seconds"]
    try:
        stored = read_npz(path, names if rounds is not None else [*names, "rounds"])
        count, seconds = rows.stop - rows.start, float(stored.pop("seconds"))
        if rounds is not None:
            stored["rounds"] = np.full(count, rounds, np.int32)
        if any(len(array) != count for array in stored.values()):
            raise ValueError(f"its arrays are not of the {count} images that are evaluated")
        for name, array in stored.items():
            getattr(standing, name)[rows] = array
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read: {first_line(error)}; remove it, and its images are attacked "
            "anew"
        ) from error
    standing.seconds[rows] = seconds / count


def _read_masking(path: pathlib.Path) -> MaskingReport:
    try:
        stored = json.loads(path.read_bytes())
        # Version 0.2.0 and before kept the signs alone, always of the first images.
        if isinstance(stored, list):
            stored = {"images": "The first images of the table above", "checks": stored}
        return MaskingReport(stored["images"], [Check(**check) for check in stored["checks"]])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}; {MEASURE_ANEW}") from error
