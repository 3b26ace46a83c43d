"""The files of a folder of checkpoints: each checkpoint whole or absent, whatever interrupts.

    step-5.data-00000-of-00001   the values, as TensorFlow writes them
    step-5.json                  when it was saved, size and SHA-256 of the two others
    step-5.index                 names, shapes, places; published last: then it is there
    checkpoint                   TensorFlow's note of the newest, for its readers; never read here
    .saving/                     a checkpoint that is being written
    damaged/                     those that could not be read, the newest few

What is there is found from the names of these files alone.
"""

import contextlib
import datetime
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

import tensorflow as tf

from robgan_tf.errors import machine_fault, one_line
from robgan_tf.files import flush_to_disk, write_atomically
from robgan_tf.typing import PathLike

STATE = "checkpoint"
ASIDE = ".saving"
DAMAGED = "damaged"
MOST_DAMAGED = 2
_FILE = re.compile(r"step-(\d+)\.(index|json|data-\d{5}-of-(\d{5}))")
# What a TensorFlow that is killed leaves, also one that saved without a folder aside.
_LEFT_OVER = re.compile(r"step-\d+(_temp|\..*\.tempstate\d+)|checkpoint\.tmp[\da-f]{32}")


class CheckpointFolder:
    """A folder of checkpoints, each named by its step.

    Args:
      path: the folder; nothing is made of it before something is saved.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = pathlib.Path(path)

    def prefix(self, step: int) -> str:
        """The path that TensorFlow knows a checkpoint by."""
        return str(self.path / f"step-{step}")

    def steps(self) -> list[int]:
        """The steps that have an index, ascending."""
        return sorted(step for step, kinds in self._files().items() if "index" in kinds)

    def newest_whole(self, at_most: int | None = None) -> tuple[int | None, dict[int, str]]:
        """Finds the newest checkpoint that is whole.

        Args:
          at_most: the highest step of interest.

        Returns:
          Its step, None where there is none; and what is wrong with each newer one, by step.
        """
        faults: dict[int, str] = {}
        for step, kinds in sorted(self._files().items(), reverse=True):
            if at_most is not None and step > at_most:
                continue
            if "index" not in kinds and self._is_being_published(step):
                continue
            fault = self.fault(step)
            if fault is None:
                return step, faults
            faults[step] = fault
        return None, faults

    def fault(self, step: int) -> str | None:
        """Says in a few words what is wrong with a checkpoint; None if it is whole.

        Sizes and SHA-256 are compared with the ones recorded. Every tensor of a checkpoint
        without a record, which an earlier version made, is read instead.

        Raises:
          OSError or tf.errors.OpError: if it cannot be looked at, which is no damage: rights,
            descriptors, memory.
        """
        kinds = self._files().get(step, {})
        if "index" not in kinds:
            return "its index is missing" if kinds else "there is none"
        if "json" not in kinds:
            return _unreadable(self.prefix(step))
        try:
            recorded = dict(json.loads(kinds["json"].read_text())["files"])
            expected = {name: (int(x["bytes"]), str(x["sha256"])) for name, x in recorded.items()}
        except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError) as error:
            return f"its record {kinds['json'].name} cannot be read ({one_line(error)})"
        for name, (size, sha256) in expected.items():
            path = self.path / name
            try:
                found = path.stat().st_size
                is_same = found == size and _sha256(path) == sha256
            except FileNotFoundError:
                return f"{name} is missing"
            if found != size:
                return f"{name} has {found} bytes instead of {size}"
            if not is_same:
                return f"{name} is not what was saved (SHA-256)"
        return None

    @contextlib.contextmanager
    def aside(self, step: int) -> Iterator[str]:
        """Gives a prefix to write a checkpoint to, and removes whatever is left of it."""
        folder = self.path / ASIDE
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield str(folder / f"step-{step}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, step: int) -> None:
        """Makes the checkpoint that was written aside one of the folder, whole or not at all."""
        folder = self.path / ASIDE
        files = sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))
        for path in files:
            flush_to_disk(path)
        record = folder / f"step-{step}.json"
        record.write_text(json.dumps(_record(step, files), indent=1) + "\n")
        flush_to_disk(record)
        flush_to_disk(folder)
        self._remove(step)
        # The index last, and it alone makes a checkpoint of the others.
        index = folder / f"step-{step}.index"
        for path in [*(x for x in files if x != index), record, index]:
            path.rename(self.path / path.name)
        flush_to_disk(self.path)
        self.write_state()

    def thin(self, keep: int, keep_every_hours: float, saved: int) -> None:
        """Removes all but the newest, one of every so many hours, and the one just saved.

        Args:
          keep: how many of the newest stay.
          keep_every_hours: of the older ones, those that are at least so much later than the one
            kept before them stay for good; 0 for none.
          saved: the step just saved.
        """
        older = self.steps()[:-keep]
        kept_at = None
        for step in older:
            saved_at = self._saved_at(step)
            late = kept_at is None or saved_at - kept_at >= keep_every_hours * 3600
            if keep_every_hours and late:
                kept_at = saved_at
            elif step != saved:
                self._remove(step)
        self.write_state()

    def set_aside(self, step: int) -> pathlib.Path:
        """Moves a damaged checkpoint into a folder of its own, of which the newest few are kept."""
        folder = self.path / DAMAGED / f"step-{step}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in self._files()[step].values():
            path.rename(folder / path.name)
        others = sorted((self.path / DAMAGED).glob("step-*"), key=lambda x: x.stat().st_mtime_ns)
        for path in others[:-MOST_DAMAGED]:
            shutil.rmtree(path, ignore_errors=True)
        return folder

    def remove_left_overs(self) -> None:
        """Removes what an interrupted save or removal has left, and nothing that can be read."""
        if not self.path.is_dir():
            return
        files = self._files()
        newest = max(self.steps(), default=-1)
        for step, kinds in files.items():
            if "index" in kinds:
                continue
            # Interrupted while it was published, or while it was removed as one of the oldest.
            if self._is_being_published(step) or ("json" not in kinds and step < newest):
                self._remove(step)
        shutil.rmtree(self.path / ASIDE, ignore_errors=True)
        for path in self.path.iterdir():
            if path.is_dir() and _LEFT_OVER.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)
            elif _LEFT_OVER.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def write_state(self) -> bool:
        """Writes TensorFlow's note of what is there, for `tf.train.latest_checkpoint`.

        Returns:
          Whether it said something else before.
        """
        names = [f"step-{step}" for step in self.steps()]
        if not names:
            return False
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
        text = "\n".join([*lines, ""])
        path = self.path / STATE
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        write_atomically(path, text)
        return True

    def _files(self) -> dict[int, dict[str, pathlib.Path]]:
        """The files of each step: "index", "json" and the data files by their ending."""
        found: dict[int, dict[str, pathlib.Path]] = {}
        if self.path.is_dir():
            for path in self.path.iterdir():
                match = _FILE.fullmatch(path.name)
                if match is not None:
                    found.setdefault(int(match[1]), {})[match[2]] = path
        return found

    def _is_being_published(self, step: int) -> bool:
        return (self.path / ASIDE / f"step-{step}.index").exists()

    def _saved_at(self, step: int) -> float:
        try:
            record = json.loads(pathlib.Path(f"{self.prefix(step)}.json").read_text())
            return datetime.datetime.fromisoformat(record["saved"]).timestamp()
        except (OSError, ValueError, TypeError, KeyError):
            # An earlier version made it.
            return pathlib.Path(f"{self.prefix(step)}.index").stat().st_mtime

    def _remove(self, step: int) -> None:
        """Removes a checkpoint, so that what an interruption leaves is no damaged one.

        Without its record it is one of an earlier version; then without its index none at all.
        """
        kinds = self._files().get(step, {})
        for kind in sorted(kinds, key=lambda kind: ("json", "index", kind).index(kind)):
            kinds[kind].unlink()


def _record(step: int, files: list[pathlib.Path]) -> dict:
    now = datetime.datetime.now(datetime.UTC)
    return {
        "step": step,
        "saved": now.isoformat(timespec="seconds"),
        "files": {
            path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files
        },
    }


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreadable(prefix: str) -> str | None:
    """Reads every tensor, whose checksums TensorFlow compares; says what is wrong, if anything."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (ValueError, IndexError, RuntimeError, tf.errors.OpError) as error:
        fault = machine_fault(error)
        if fault is not None and os.strerror(errno.ENOENT) not in fault:
            raise  # It could not be looked at.
        return one_line(error)
    return None
