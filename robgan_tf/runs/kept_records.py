"""What the records of a run say of its checkpoints, and the other way round."""

import pathlib

from robgan_tf.errors import UserError
from robgan_tf.reporting import read_metrics
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.typing import PathLike

_PICTURES = f"*/step_{8 * '[0-9]'}.png"
# Newest and best ones.
_CHECKPOINTS = "*checkpoint*/step-*.index"


def lost_lines(metrics_path: PathLike, log_every: int, steps: int, up_to: int) -> list[int]:
    """The steps that metrics.jsonl should have a line of and has none.

    Args:
      metrics_path: the file, which need not exist.
      log_every: steps between lines.
      steps: the last step of the run, which has a line too.
      up_to: the last step of interest.
    """
    due = {*range(log_every, up_to + 1, log_every), *([steps] if steps == up_to else [])}
    return sorted(due.difference(_lines(metrics_path)))


def refuse_to_begin_over(run: RunDirectory, checkpoint_every: int) -> None:
    """Refuses a run without a checkpoint whose records tell of one.

    A run that was stopped before its first checkpoint has records too: it begins again and makes
    the same ones. A version before saved.json left no other trace of a checkpoint.

    Args:
      run: the run directory.
      checkpoint_every: steps between checkpoints.

    Raises:
      UserError: if it has recorded a step after its first checkpoint, or was evaluated.
    """
    last = _last_record(run)
    evaluated = any((run.path / "evaluations").glob("*.json"))
    if last > checkpoint_every or evaluated:
        what = f"records up to step {last}" if last else "evaluations"
        raise UserError(
            f"run directory {run.path} has {what} and no checkpoint: nothing is trained over it. "
            f"Restore {run.checkpoints_path.name}/ from a copy, or give a new --run_dir"
        )


def refuse_change_of_the_past(run: RunDirectory, step: int) -> None:
    """Refuses a changed configuration where steps are to be made again that are recorded already.

    Args:
      run: the run directory.
      step: what it goes on from.

    Raises:
      UserError: if something is changed and there are records or checkpoints of later steps.
    """
    # Checkpoints of later steps are there where it goes back to make lost records again.
    saved = [path.stem.removeprefix("step-") for path in run.path.glob(_CHECKPOINTS)]
    last = max([_last_record(run), *(int(number) for number in saved if number.isdecimal())])
    if run.changes and last > step:
        raise UserError(
            f"run directory {run.path} has records up to step {last}, made without this change of "
            f"{', '.join(run.changes)}, and goes on from step {step}: first continue it as it was "
            f"to step {last} or later, stop it with Ctrl-C, which saves, and change it then"
        )


def _last_record(run: RunDirectory) -> int:
    """The last step that there is a line or a picture of; 0 if there is none."""
    pictures = [int(path.stem.rpartition("_")[2]) for path in run.path.glob(_PICTURES)]
    return max([0, *_lines(run.metrics_path), *pictures])


def _lines(metrics_path: PathLike) -> list[int]:
    path = pathlib.Path(metrics_path)
    return [record["step"] for record in read_metrics(path)] if path.exists() else []
