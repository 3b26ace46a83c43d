"""A run directory: the whole truth of one run, and its guard against mixing two runs.

config.json      every setting of the run          metrics.jsonl   numbers
config.gin       the same as a gin file            tensorboard/    event files
data.json        classes, image shape, fingerprint
checkpoints/     newest checkpoints                samples/ attacks/   pictures
saved.json       a checkpoint has been saved           environment.json   what made it, for reports
best_checkpoint/ of classifiers                    gap.csv gap.png     train against test
extensions/      copies of the programs it was made with, to read
"""

import errno
import json
import pathlib
import re
import tempfile
from collections.abc import Collection, Sequence
from typing import Any

import filelock

from robgan_tf.errors import UserError
from robgan_tf.files import remove_left_overs, write_atomically
from robgan_tf.json_file import read_object
from robgan_tf.runs.continuation import (
    CHANGES,
    DATA_FOUND,
    REPLICAS,
    Change,
    as_comments,
    changes_of_data,
    changes_of_settings,
    check_allowed,
)
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.typing import JsonObject, PathLike

CHECKPOINTS = "checkpoints"
BEST_CHECKPOINT = "best_checkpoint"
# What a new run that is killed leaves before its config.json is there.
_BEGINNING = re.compile(r"lock|data\.json|\.(data|config)\.json\.\d+")


class RunDirectory:
    """Opens a run directory for one process, new or to be continued.

    Args:
      path: the directory; created if it does not exist.
      config: flat dict of every setting.
      grows: name of the setting that may be higher on continuation: the number of steps.
      defaults: values of settings that a run begun before they existed is taken to have.
      keeps: names of numbers of which a continued run keeps its own where that is lower.
      free: names of settings that may differ on continuation.
      allowed: names of settings, and of what is found of the data, that may differ this time
        (--allow_config_change); what does is recorded.

    Raises:
      UserError: if the directory cannot be written, holds other files, holds a run with other
        settings, or is in use by another process.
    """

    def __init__(
        self,
        path: PathLike,
        config: JsonObject,
        grows: str,
        defaults: JsonObject | None = None,
        keeps: Collection[str] = (),
        free: Collection[str] = (),
        allowed: Collection[str] = (),
    ) -> None:
        self.path = pathlib.Path(path)
        self._config = config
        self._defaults = defaults or {}
        self._allowed = allowed
        self._changes: list[Change] = []
        self._refuse_patterns()
        try:
            self._refuse_foreign()
            self._config = {**config, **self._kept(keeps)}
            self._refuse_other_config(grows, free)
            self._make_writable()
            self._lock = self._take_lock()
            self._inode = self.path.stat().st_ino
            remove_left_overs(self.path)
        except OSError as error:
            raise UserError(
                f"run directory {self.path} cannot be used: {error.strerror}; "
                "give another one (--run_dir)"
            ) from error

    @property
    def config_path(self) -> pathlib.Path:
        """The settings, JSON."""
        return self.path / "config.json"

    @property
    def metrics_path(self) -> pathlib.Path:
        """The numbers, a JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard_path(self) -> pathlib.Path:
        """The directory of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def checkpoints_path(self) -> pathlib.Path:
        """The directory of the newest checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def saved_path(self) -> pathlib.Path:
        """The file that says that a checkpoint has been saved: who finds none has lost it."""
        return self.path / "saved.json"

    @property
    def best_checkpoint_path(self) -> pathlib.Path:
        """The directory of the best checkpoint."""
        return self.path / BEST_CHECKPOINT

    @property
    def gap_csv_path(self) -> pathlib.Path:
        """Train against test over steps, as numbers."""
        return self.path / "gap.csv"

    @property
    def gap_picture_path(self) -> pathlib.Path:
        """Train against test over steps, as a picture."""
        return self.path / "gap.png"

    def picture_path(self, kind: str, step: int) -> pathlib.Path:
        """Where the picture of a kind ("samples", "attacks") at a step belongs."""
        return self.path / kind / f"step_{step:08d}.png"

    @property
    def changes(self) -> tuple[str, ...]:
        """Names of what differs this time and was allowed to."""
        return tuple(change.name for change in self._changes)

    def values_of(self, name: str) -> set[Any]:
        """All values that a setting has had, and has now."""
        changes = [Change(x["name"], x["before"], x["after"]) for x in self._recorded(CHANGES)]
        earlier = [x.before for x in [*changes, *self._changes] if x.name == name]
        return {self._config[name], *earlier}

    def check_data(self, data: DataRecord) -> None:
        """Compares the data with that which the run was begun on.

        Args:
          data: of the data found.

        Raises:
          UserError: if it is other data, and may not be.
        """
        description = self._stored_config().get(DATA_FOUND)
        self._allow(
            changes_of_data(description, DataRecord.read(self.path), data),
            "was begun on other data",
            "Give the data of that run (--data_dir)",
        )

    def write_config(
        self, gin_text: str, data: DataRecord, step: int = 0, replicas: int | None = None
    ) -> None:
        """Stores the settings, now that everything made from them has been built and restored.

        Args:
          gin_text: the settings as a gin file, for people.
          data: of the data found, which `check_data` has compared.
          step: steps already made.
          replicas: on how many the next ones are made.
        """
        changes = self._recorded(CHANGES) + [x.from_step(step + 1) for x in self._changes]
        counts = self._recorded(REPLICAS)
        if replicas is not None and replicas not in [entry["count"] for entry in counts[-1:]]:
            counts.append({"from_step": step + 1, "count": replicas})
        if DataRecord.read(self.path) is None or any(x.startswith("data.") for x in self.changes):
            data.write(self.path)
        config = {**self._config, DATA_FOUND: data.description, CHANGES: changes, REPLICAS: counts}
        recorded = {name: x for name, x in config.items() if x or name not in (CHANGES, REPLICAS)}
        self.write_json(self.config_path, recorded)
        write_atomically(self.path / "config.gin", as_comments(changes, counts) + gin_text)

    def check_there(self) -> None:
        """Raises OSError if the directory is no longer there: it would be made anew in part."""
        if not self.path.exists() or self.path.stat().st_ino != self._inode:
            what = "the run directory was deleted or moved while it was trained"
            raise OSError(errno.ENOENT, what, str(self.path))

    def write_json(self, path: pathlib.Path, value: Any) -> None:
        """Writes a JSON file of the run, whole or not at all."""
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(value, indent=1) + "\n")

    def _refuse_patterns(self) -> None:
        # TensorFlow takes them for patterns and would not find the checkpoints again.
        if set("*?[]\\") & set(str(self.path)):
            raise UserError(
                f"run directory {self.path} has one of the characters * ? [ ] \\ in its name; "
                "give one without (--run_dir)"
            )

    def _refuse_foreign(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"run directory {self.path} is a file; give a directory (--run_dir)")
        if self.config_path.exists() or not self.path.is_dir():
            return
        if not all(_BEGINNING.fullmatch(entry.name) for entry in self.path.iterdir()):
            raise UserError(
                f"run directory {self.path} is not empty and holds no run; "
                "give a new one (--run_dir)"
            )

    def _refuse_other_config(self, grows: str, free: Collection[str]) -> None:
        if not self.config_path.exists():
            return
        stored = {**self._defaults, **self._stored_config()}
        check_allowed(self._allowed, {*stored, *self._config})
        self._allow(
            changes_of_settings(stored, self._config, grows, free),
            "belongs to another configuration",
            "Give a new --run_dir, or the settings of that run "
            f"(--gin_file={self.path / 'config.gin'})",
        )

    def _allow(self, changes: Sequence[Change], what: str, instead: str) -> None:
        """Notes changes, or refuses those that are not allowed."""
        refused = [change for change in changes if change.name not in self._allowed]
        if refused:
            names = ",".join(change.name for change in refused)
            raise UserError(
                f"run directory {self.path} {what}: {'; '.join(map(str, refused))}. {instead}, "
                f"or let it through: --allow_config_change={names}"
            )
        self._changes += changes

    def _kept(self, names: Collection[str]) -> JsonObject:
        if not self.config_path.exists():
            return {}
        stored = {**self._defaults, **self._stored_config()}
        return {
            name: stored[name]
            for name in names
            if name in stored and stored[name] <= self._config[name]
        }

    def _stored_config(self) -> JsonObject:
        if not self.config_path.exists():
            return {}
        return read_object(self.config_path)

    def _recorded(self, key: str) -> list[JsonObject]:
        return list(self._stored_config().get(key, []))

    def _make_writable(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.path):
            pass

    def _take_lock(self) -> Any:
        lock = filelock.FileLock(self.path / "lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise UserError(
                f"run directory {self.path} is in use by another process; "
                "wait for it, or give another one (--run_dir)"
            ) from error
        return lock
