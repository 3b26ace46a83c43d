"""The training loop, with a task of one number: when things happen, and what ends it."""

import itertools
import signal

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import NonFiniteError
from robgan_tf.runs.checkpoints import Checkpoints, kept_steps
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.runs.loop import Rhythm, TrainingLoop
from tests.in_process import deterministic


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [(7, 3, [3, 6, 7]), (6, 3, [3, 6]), (2, 3, []), (3, 3, [3]), (4, 0, [])],
)
def test_evaluations_come_regularly_and_at_the_end_but_not_in_a_short_look(steps, every, expected):
    rhythm = Rhythm(steps, 1, 1, 1)
    assert [step for step in range(1, steps + 1) if rhythm.evaluation_due(every, step)] == expected


class Counting:
    """Adds up the numbers that it is given.

    Args:
      hooks: dict from (name of a method, step) to what is called there.
    """

    def __init__(self, hooks=None):
        self.total = tf.Variable(0.0)
        self._hooks = hooks or {}

    def train_step(self, batch, step):
        self.total.assign_add(batch)
        self._hook("train_step", step)
        return {"loss": self.total + 0.0}

    def measure(self, batch, step):
        self._hook("measure", step)
        return {"before": self.total + 0.0}

    def evaluate(self, step, due):
        self._hook("evaluate", step)
        return ({"evaluated": float(self.total)} if due(2) else {}), {}

    def pictures(self):
        return {"samples": np.full([4, 4, 3], int(self.total) % 256, np.uint8)}

    def main_losses(self, values):
        return {}

    def _hook(self, name, step):
        self._hooks.get((name, int(step)), lambda: None)()


def session(path, task, steps=4, save_every=100, **saved):
    """One session of a run in a directory; how it was stopped, or None, and its step."""
    run = RunDirectory(path, {"train.steps": steps}, grows="train.steps")
    run.write_json(run.config_path, {"train.steps": steps})
    checkpoints = Checkpoints(run.checkpoints_path, {"total": task.total, **saved}, keep=3)
    start = checkpoints.restore_latest()
    rhythm = Rhythm(steps, log_every=1, sample_every=2, checkpoint_every=save_every)
    loop = TrainingLoop(task, run, checkpoints, rhythm, images_per_step=1, description="")
    stop = loop.run(itertools.count(start + 1.0), start)
    return stop, kept_steps(run.checkpoints_path)


@pytest.mark.parametrize("place", ["train_step", "measure", "evaluate"])
def test_a_signal_lets_a_step_and_what_is_measured_then_end_and_saves_it(tmp_path, place):
    hooks = {(place, 2): lambda: signal.raise_signal(signal.SIGTERM)}
    stop, kept = session(tmp_path / "stopped", Counting(hooks))
    assert stop.exit_status == 143 and kept == [2]
    assert session(tmp_path / "stopped", Counting()) == (None, [2, 4])
    session(tmp_path / "straight", Counting())
    assert deterministic(tmp_path / "stopped") == deterministic(tmp_path / "straight")
    assert [record["loss"] for record in deterministic(tmp_path / "stopped")] == [1, 3, 6, 10]


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_variable_that_is_not_finite_is_never_saved(tmp_path, value):
    """Also where no loss has shown it; what was saved before stays."""
    momentum = tf.Variable([0.0, 0.0])
    task = Counting({("train_step", 3): lambda: momentum.assign([1.0, value])})
    with pytest.raises(NonFiniteError, match="step 3: momentum is not finite"):
        session(tmp_path, task, save_every=1, momentum=momentum)
    assert kept_steps(tmp_path / "checkpoints") == [1, 2]
    assert session(tmp_path, Counting(), momentum=tf.Variable([0.0, 0.0])) == (None, [1, 2, 4])
    assert [record["loss"] for record in deterministic(tmp_path)] == [1, 3, 6, 10]
