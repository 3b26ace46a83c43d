"""When a process is stopped: waits for the moment."""

import os
import pathlib
import random
import time
from collections.abc import Callable

from robgan_tf.runs.checkpoint_folder import ASIDE

_LOOK_EVERY = 0.002

# Waits for a moment in the life of a process that trains in a run directory.
Moment = Callable[[int, pathlib.Path], None]


def after_seconds(seconds: float) -> Moment:
    """So long after the start: at any moment, most of them before the first step."""

    def wait(process: int, run_dir: pathlib.Path) -> None:
        del run_dir
        deadline = time.monotonic() + seconds
        _until(process, lambda: time.monotonic() >= deadline)

    return wait


def at_step(step: int) -> Moment:
    """As soon as a step is recorded."""
    return lambda process, run_dir: _until(process, lambda: lines(run_dir) >= step)


def after_first_step(seconds: float) -> Moment:
    """So long after this session has recorded a step."""

    def wait(process: int, run_dir: pathlib.Path) -> None:
        before = _size(run_dir)
        _until(process, lambda: _size(run_dir) > before)
        after_seconds(seconds)(process, run_dir)

    return wait


def inside_a_save(seconds: float) -> Moment:
    """So long after a save has begun."""

    def wait(process: int, run_dir: pathlib.Path) -> None:
        aside = run_dir / "checkpoints" / ASIDE
        # One that the session before was killed in is removed before the first step.
        _until(process, lambda: not aside.exists())
        _until(process, aside.exists)
        after_seconds(seconds)(process, run_dir)

    return wait


def drawn(generator: random.Random, life: float, save: float) -> tuple[str, Moment]:
    """A moment drawn at random, and what kind it is of.

    Args:
      generator: what draws.
      life: seconds that a session takes.
      save: seconds that a save takes.
    """
    kind = generator.choice(("any moment", "training", "training", "saving"))
    if kind == "any moment":
        return kind, after_seconds(generator.uniform(0.0, life))
    if kind == "training":
        return kind, after_first_step(generator.uniform(0.0, 2 * save))
    return kind, inside_a_save(generator.uniform(0.0, 1.2 * save))


def lines(run_dir: pathlib.Path) -> int:
    """How many lines metrics.jsonl has."""
    path = run_dir / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _size(run_dir: pathlib.Path) -> int:
    path = run_dir / "metrics.jsonl"
    return path.stat().st_size if path.exists() else 0


def _until(process: int, happened: Callable[[], bool]) -> None:
    """Returns when something has happened, or the process has ended."""
    while not happened() and not _has_ended(process):
        time.sleep(_LOOK_EVERY)


def _has_ended(process: int) -> bool:
    # Its status is left for whoever waits for it.
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
