"""The training loop: feeds batches to a task, watches, saves, stops.

It knows nothing of GANs: any task that makes steps can be run by it.
"""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from robgan_tf.errors import CollapseError, NonFiniteError
from robgan_tf.reporting import MetricsFile, Progress, read_metrics, save_png
from robgan_tf.reporting.tensorboard import TensorBoardWriter
from robgan_tf.runs.checkpoints import Checkpoints
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.runs.stopping import StopRequest

# Says whether something that happens every so many steps happens now.
Due = Callable[[int], bool]


class TrainingTask(Protocol):
    """What the loop runs."""

    def train_step(self, batch: Any, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Makes one step; returns a dict of scalars. Raises NonFiniteError."""

    def measure(self, batch: Any, step: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Measures, before a logged step changes anything; returns a dict of scalars."""

    def evaluate(self, step: int, due: Due) -> tuple[dict[str, float], dict[str, str]]:
        """Measures what is due after a step.

        Args:
          step: the step.
          due: function that says whether something that happens every so many steps happens now.

        Returns:
          Dict of scalars, and a dict from the name of an alarm to one line; both mostly empty.
        """

    def pictures(self) -> dict[str, np.ndarray]:
        """Returns a dict from kind ("samples") to a uint8 picture [height, width, 3]."""

    def main_losses(self, values: Mapping[str, float]) -> dict[str, float]:
        """Picks the few values shown on the progress line: a dict of short names."""


@dataclasses.dataclass(frozen=True)
class Rhythm:
    """When things happen, in steps.

    Attributes:
      steps: the last step.
      log_every: steps between records; the last step is recorded too.
      sample_every: steps between pictures; the last step has some too.
      checkpoint_every: steps between checkpoints; the last step has one too.
    """

    steps: int
    log_every: int
    sample_every: int
    checkpoint_every: int

    def due(self, every: int, step: int) -> bool:
        """Whether something that happens every so many steps happens at this one."""
        return step % every == 0 or step == self.steps

    def evaluation_due(self, every: int, step: int) -> bool:
        """Whether there is an evaluation at this step, of those that come every so many.

        The last step has one too unless the run is shorter than that; 0 is never.
        """
        return 0 < every <= step and self.due(every, step)


class TrainingLoop:
    """Runs a task to its last step, or until a signal or a non-finite value stops it.

    A resumed run repeats the steps after its checkpoint exactly, so records and pictures that
    an interrupted process has already written are left as they are.

    Args:
      task: what to run.
      run: the run directory.
      checkpoints: checkpoints of everything the task changes.
      rhythm: when things happen.
      images_per_step: real images in one step, for the rate shown.
      description: markdown shown in TensorBoard: the run's configuration.
      stop_at_alarm: whether an alarm ends the run.
      agree: whether to stop after a step, which several workers have to agree on.
    """

    def __init__(
        self,
        task: TrainingTask,
        run: RunDirectory,
        checkpoints: Checkpoints,
        rhythm: Rhythm,
        *,
        images_per_step: int,
        description: str,
        stop_at_alarm: bool = False,
        agree: Callable[[StopRequest], bool] = StopRequest.is_due,
    ) -> None:
        self._agree = agree
        self._task = task
        self._run = run
        self._checkpoints = checkpoints
        self._rhythm = rhythm
        self._images_per_step = images_per_step
        self._description = description
        self._stop_at_alarm = stop_at_alarm

    def run(
        self, batches: Iterable[Any], start_step: int, deadline: float | None = None
    ) -> StopRequest | None:
        """Trains from the step after `start_step`.

        Args:
          batches: iterable of the task's batches, from that step on.
          start_step: steps already made.
          deadline: when the run has to have ended, on `time.monotonic`; None for never.

        Returns:
          The StopRequest that ended the run between two steps, or None when it is finished.

        Raises:
          NonFiniteError: as soon as the task meets an infinite or NaN value; nothing of that
            step is saved.
          CollapseError: at an alarm, if it is to end the run; the step is saved.
        """
        self._seconds_before = _training_seconds(self._run.metrics_path, start_step)
        self._metrics = MetricsFile(self._run.metrics_path)
        self._tensorboard = TensorBoardWriter(self._run.tensorboard_path, start_step)
        self._tensorboard.text_once("configuration", start_step, self._description)
        self._progress = Progress(self._rhythm.steps, start_step, self._images_per_step)
        try:
            with StopRequest(deadline) as stop:
                return self._steps(iter(batches), start_step, stop)
        finally:
            self._progress.close()
            self._tensorboard.close()

    def _steps(
        self, batches: Iterator[Any], start_step: int, stop: StopRequest
    ) -> StopRequest | None:
        # Nothing is shown before it is done, which can be a minute with large networks.
        self._progress.message("Compiling the first step (about 10 s for small networks) ...")
        for step in range(start_step + 1, self._rhythm.steps + 1):
            self._step(next(batches), step)
            if self._agree(stop):
                self._save(step)
                return stop
        return None

    def _step(self, batch: Any, step: int) -> None:
        rhythm = self._rhythm
        # A tensor, so that a new step number does not trace a new graph.
        step_tensor = tf.constant(step, tf.int64)
        logged = rhythm.due(rhythm.log_every, step)
        measured: Mapping[str, tf.Tensor] = {}
        if logged:
            with self._progress.paused():
                measured = self._task.measure(batch, step_tensor)
        values = self._task.train_step(batch, step_tensor)
        self._progress.advance(step)
        with self._progress.paused():
            evaluated, alarms = self._task.evaluate(
                step, lambda every: rhythm.evaluation_due(every, step)
            )
        if logged or evaluated:
            self._log(step, {**values, **measured, **evaluated}, alarms)
        if rhythm.due(rhythm.sample_every, step):
            with self._progress.paused():
                self._draw(step)
        if rhythm.due(rhythm.checkpoint_every, step):
            self._save(step)
        if alarms and self._stop_at_alarm:
            self._save(step)
            raise CollapseError(
                f"step {step}: {'; '.join(alarms.values())}. The same command goes on until the "
                "next alarm (alarms.stop)"
            )

    def _log(
        self, step: int, values: Mapping[str, float | tf.Tensor], alarms: Mapping[str, str]
    ) -> None:
        self._run.check_there()
        values = {name: float(value) for name, value in values.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise NonFiniteError(f"step {step}: {name} is not finite")
        self._progress.report(step, self._task.main_losses(values))
        if self._progress.images_per_second is not None:
            values["speed/images_per_second"] = self._progress.images_per_second
        values["time/training_seconds"] = self._seconds_before + self._progress.training_seconds
        for line in alarms.values():
            self._progress.message(f"WARNING at step {step}: {line}")
        # Each leaves out what an earlier session has written.
        self._tensorboard.scalars(step, values)
        for name, line in alarms.items():
            self._tensorboard.text(f"alarm/{name}", step, line)
        self._metrics.write(step, values)

    def _draw(self, step: int) -> None:
        for kind, picture in self._task.pictures().items():
            self._tensorboard.image(kind, step, picture)
            path = self._run.picture_path(kind, step)
            if not path.exists():
                save_png(path, picture)

    def _save(self, step: int) -> None:
        self._run.check_there()
        with self._progress.paused():
            # What a checkpoint makes past, no resumed run makes again.
            self._metrics.flush_to_disk()
            self._tensorboard.flush_to_disk()
            self._checkpoints.save(step)


def _training_seconds(metrics_path: pathlib.Path, step: int) -> float:
    """Seconds of training that a run took until a step, in earlier sessions."""
    if not step or not metrics_path.exists():
        return 0.0
    taken = [
        record["time/training_seconds"]
        for record in read_metrics(metrics_path)
        if record["step"] <= step and "time/training_seconds" in record
    ]
    return taken[-1] if taken else 0.0
