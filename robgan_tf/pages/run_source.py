"""What a report shows of one run: read of its directory, its archive or its record."""

import dataclasses
import pathlib
from collections.abc import Mapping

from robgan_tf.comparison.record import evaluations_of, sessions_of
from robgan_tf.comparison.run import SECONDS
from robgan_tf.comparison.sources import read_run
from robgan_tf.errors import UserError
from robgan_tf.json_file import read_object
from robgan_tf.runs.archive import is_archive, run_directory
from robgan_tf.typing import JsonObject, PathLike

_PICTURES = ("samples", "attacks")


@dataclasses.dataclass(frozen=True)
class RunSource:
    """One run, wherever it is.

    Attributes:
      path: as given.
      name: what it is called.
      config: flat dict of its settings and of what is said of it there.
      records: its metrics, in the order of steps.
      evaluations: what was measured of it, by the names of the files.
      sessions: that made it; none where it does not say.
      pictures: the newest picture of each kind, with the step, or None where that is not known.
      seconds_per_step: what its seconds were computed from; None if they are as measured.
      is_directory: whether it can be written to.
    """

    path: str
    name: str
    config: JsonObject
    records: list[JsonObject]
    evaluations: Mapping[str, JsonObject]
    sessions: list[JsonObject]
    pictures: Mapping[str, tuple[int | None, bytes]]
    seconds_per_step: float | None
    is_directory: bool

    @property
    def is_joint(self) -> bool:
        """Whether it is a run of joint training, otherwise of the finetune command."""
        return "train.seed" in self.config

    @property
    def group(self) -> str:
        """The group of its settings of length and batch: "train" or "finetune"."""
        return "train" if self.is_joint else "finetune"

    @property
    def step(self) -> int:
        """The last step that it has recorded."""
        return self.records[-1]["step"]

    @property
    def steps(self) -> int:
        """The step at which it is finished."""
        return self.config[f"{self.group}.steps"]

    @property
    def seed(self) -> int:
        """Of all its random numbers."""
        return self.config[f"{self.group}.seed"]

    @property
    def seconds(self) -> float | None:
        """Of training, without evaluations and pictures; None where it does not say."""
        return self.records[-1].get(SECONDS)


def read_source(path: PathLike) -> RunSource:
    """Reads a run.

    Args:
      path: a run directory, the archive of one, or a record that `robgan-tf record` made.

    Raises:
      UserError: if it is none of them, or cannot be read.
    """
    found = run_directory(path)
    try:
        config, records, seconds_per_step = read_run(found)
    except UserError as error:
        raise UserError(str(error).replace("--run: ", "--run_dir: ", 1)) from error
    source = RunSource(
        path=str(path),
        name=found.resolve().name
        if found.is_dir()
        else f"{found.resolve().parent.name}/{found.stem}",
        config=config,
        records=records,
        seconds_per_step=seconds_per_step,
        is_directory=found.is_dir() and not is_archive(path),
        **(_of_directory(found) if found.is_dir() else _of_record(found)),
    )
    if not {f"{source.group}.steps", f"{source.group}.seed"} <= config.keys():
        raise UserError(f"--run_dir: the settings of {path} are incomplete; is it damaged?")
    return source


def _of_directory(path: pathlib.Path) -> JsonObject:
    pictures = {}
    for kind in _PICTURES:
        for newest in sorted(path.glob(f"{kind}/step_*.png"))[-1:]:
            step = newest.stem.removeprefix("step_")
            pictures[kind] = (int(step) if step.isdecimal() else None, newest.read_bytes())
    return {
        "evaluations": evaluations_of(path),
        "sessions": sessions_of(path).get("sessions", []),
        "pictures": pictures,
    }


def _of_record(path: pathlib.Path) -> JsonObject:
    stored = read_object(path)
    beside = {kind: path.with_name(f"{path.stem}_{kind}.png") for kind in _PICTURES}
    return {
        "evaluations": stored.get("evaluations", {}),
        "sessions": stored.get("sessions", []),
        "pictures": {kind: (None, x.read_bytes()) for kind, x in beside.items() if x.is_file()},
    }
