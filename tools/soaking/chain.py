"""One run, stopped and started again until it is finished."""

import dataclasses
import os
import pathlib
import signal
import time
from collections.abc import Iterator

from robgan_tf.runs.checkpoint_folder import CheckpointFolder
from tools.soaking.moments import Moment, lines
from tools.soaking.stage import CHECKPOINT_EVERY, KEEP, TinyStage


@dataclasses.dataclass
class Chain:
    """What happened to a run.

    Attributes:
      run_dir: its directory.
      stops: the kind of each moment at which it was stopped.
      continued: after how many of them the next session went on.
      most_steps_lost: recorded steps that had to be made again, the most after one stop.
      unreadable: checkpoints that could not be read after a stop.
      most_checkpoint_bytes: the most that its checkpoints took after a stop.
      problems: a line of each session that ended otherwise than it should.
      seconds: of all sessions.
    """

    run_dir: pathlib.Path
    stops: list[str] = dataclasses.field(default_factory=list)
    continued: int = 0
    most_steps_lost: int = 0
    unreadable: int = 0
    most_checkpoint_bytes: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


def run_chain(
    stage: TinyStage,
    run_dir: pathlib.Path,
    moments: Iterator[tuple[str, Moment]],
    number: signal.Signals = signal.SIGKILL,
) -> Chain:
    """Runs a run to its end, stopping it at each of some moments that comes before.

    Args:
      stage: what is run.
      run_dir: where.
      moments: the kind of each, and the moment.
      number: the signal it is stopped by.
    """
    chain, began, stopped = Chain(run_dir), time.monotonic(), False
    expected = -number if number == signal.SIGKILL else 128 + number
    while True:
        kind, moment = next(moments, ("", None))
        process = stage.start(run_dir)
        if moment is not None:
            moment(process, run_dir)
            # Of one that has ended, nobody has asked for the status yet: its number is its own.
            os.kill(process, number)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if status not in (0, expected):
            chain.problems.append(f"status {status} after {kind!r}, see {stage.log(run_dir)}")
            return chain
        chain.continued += stopped
        stopped = status != 0
        if not stopped:
            chain.seconds = time.monotonic() - began
            return chain
        chain.stops.append(kind)
        _look(chain)


def straight_seconds(stage: TinyStage, run_dir: pathlib.Path) -> float:
    """Makes a run that is never stopped; returns the seconds it takes."""
    chain = run_chain(stage, run_dir, iter(()))
    assert not chain.problems, chain.problems
    return chain.seconds


def _look(chain: Chain) -> None:
    """Looks at what a stop has left, before the next session mends it."""
    folder = CheckpointFolder(chain.run_dir / "checkpoints")
    whole, faults = folder.newest_whole()
    chain.unreadable += len(faults)
    chain.most_steps_lost = max(chain.most_steps_lost, lines(chain.run_dir) - (whole or 0))
    taken = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    chain.most_checkpoint_bytes = max(chain.most_checkpoint_bytes, taken)


def most_bytes_allowed(straight: pathlib.Path) -> int:
    """What the checkpoints of a run may take: those kept, one being written, and their list."""
    folder = straight / "checkpoints"
    sizes: dict[str, int] = {}
    for path in folder.glob("step-*"):
        step = path.name.partition(".")[0]
        sizes[step] = sizes.get(step, 0) + path.stat().st_size
    return (KEEP + 1) * max(sizes.values()) + 1024


def allowed_loss() -> int:
    """The most steps that a kill may cost."""
    return CHECKPOINT_EVERY
