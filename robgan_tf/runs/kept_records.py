"""What the records of a run say of its checkpoints, and the other way round."""

import pathlib

from robgan_tf.errors import UserError
from robgan_tf.reporting import read_metrics
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.typing import PathLike

_PICTURES = f"*/step_{8 * '[0-9]'}.png"


def recorded_to(metrics_path: PathLike, log_every: int, steps: int) -> int:
    """The step up to which no line is missing at the end of metrics.jsonl.

    Args:
      metrics_path: the file, which need not exist.
      log_every: steps between lines.
      steps: the last step of the run, which has a line too.
    """
    last = _last_line(metrics_path)
    before_the_next = (last // log_every + 1) * log_every - 1
    return max(last, min(before_the_next, steps - 1))


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
    steps = [_last_line(run.metrics_path)]
    steps += [int(path.stem.rpartition("_")[2]) for path in run.path.glob(_PICTURES)]
    evaluated = any((run.path / "evaluations").glob("*.json"))
    if max(steps) > checkpoint_every or evaluated:
        what = f"records up to step {max(steps)}" if max(steps) else "evaluations"
        raise UserError(
            f"run directory {run.path} has {what} and no checkpoint: nothing is trained over it. "
            f"Restore {run.checkpoints_path.name}/ from a copy, or give a new --run_dir"
        )


def _last_line(metrics_path: PathLike) -> int:
    path = pathlib.Path(metrics_path)
    records = read_metrics(path) if path.exists() else []
    return records[-1]["step"] if records else 0
