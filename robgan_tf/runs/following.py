"""What a worker does that is not the chief: every step, and nothing that is written."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from robgan_tf.runs.loop import Rhythm, TrainingTask
from robgan_tf.runs.stopping import StopRequest

# Whether to stop after a step that all workers have made.
Agree = Callable[[StopRequest], bool]


@dataclasses.dataclass(frozen=True)
class FollowingLoop:
    """Makes the steps and measurements of a task that take all workers.

    Attributes:
      task: what the chief runs too; nothing of it is evaluated or drawn here.
      rhythm: the chief's.
      agree: of all workers.
    """

    task: TrainingTask
    rhythm: Rhythm
    agree: Agree

    def run(
        self, batches: Iterable[Any], start_step: int, deadline: float | None = None
    ) -> StopRequest | None:
        """As `TrainingLoop.run`."""
        waiting = iter(batches)
        with StopRequest(deadline) as stop:
            for step in range(start_step + 1, self.rhythm.steps + 1):
                batch, number = next(waiting), tf.constant(step, tf.int64)
                if self.rhythm.due(self.rhythm.log_every, step):
                    self.task.measure(batch, number)
                self.task.train_step(batch, number)
                if self.agree(stop):
                    return stop
        return None
