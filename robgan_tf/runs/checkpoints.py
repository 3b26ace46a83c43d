"""Checkpoints: everything needed to continue a run, written whole, read back, found again."""

import json
import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.errors import NonFiniteError, UserError, first_line, machine_fault
from robgan_tf.files import write_atomically
from robgan_tf.runs.checkpoint_folder import STATE, CheckpointFolder
from robgan_tf.runs.checkpoint_values import first_difference, first_non_finite
from robgan_tf.typing import PathLike


class Checkpoints:
    """Saves and restores trackable objects together with the step, for the one process that trains.

    What an interrupted save has left is removed at once.

    Args:
      directory: where checkpoints are kept.
      objects: dict from a stable name to a model or built optimizer.
      keep: how many of the newest are kept.
      keep_every_hours: of the older ones, the first, and each that was saved so much later than
        the one kept before it, are kept for good; 0 for none.
      marker: a file elsewhere, written when the first checkpoint is there: a directory without any
        has then lost them. None for a directory that may lose them.
      say: prints a line, of what is damaged.
    """

    def __init__(
        self,
        directory: PathLike,
        objects: Mapping[str, Any],
        keep: int,
        keep_every_hours: float = 0.0,
        marker: PathLike | None = None,
        say: Callable[[str], object] = print,
    ) -> None:
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(step=self._step, **objects)
        self._folder = CheckpointFolder(directory)
        self._keep, self._keep_every_hours = keep, keep_every_hours
        self._marker = None if marker is None else pathlib.Path(marker)
        self._say = say
        self._folder.remove_left_overs()

    @property
    def latest(self) -> str | None:
        """Path prefix of the newest checkpoint, or None."""
        steps = self._folder.steps()
        return self._folder.prefix(steps[-1]) if steps else None

    def restore_latest(self, lost: Callable[[int], Sequence[int]] | None = None) -> int:
        """Restores the newest checkpoint that is whole, and sets newer ones aside.

        Args:
          lost: function from a step to the steps up to it whose records are lost, ascending:
            training goes on from one of the newest few where that makes them again.

        Returns:
          Its step; 0 where nothing has been saved.

        Raises:
          UserError: if none that was saved can be read, or it does not belong to these models.
        """
        step, faults = self._folder.newest_whole()
        if step is None:
            self._refuse_lost(faults)
            return 0
        for damaged, fault in faults.items():
            folder = self._folder.set_aside(damaged)
            self._say(
                f"WARNING: checkpoint step-{damaged} is damaged ({fault}) and was moved to "
                f"{folder}; training goes on from step-{step}"
            )
        is_news = self._folder.write_state()
        # A session that was killed before it did so may have been the last to save.
        self._folder.thin(self._keep, self._keep_every_hours, step)
        if is_news:
            self._say(f"{self._folder.path / STATE} did not say what is there: written anew")
        if lost is not None:
            step = self._before_lost(step, lost(step))
        self._mark(step)
        self._restore(self._folder.prefix(step))
        return int(self._step)

    def save(self, step: int) -> str:
        """Saves a checkpoint of a step, unless there is a whole one of it already.

        It is written aside, flushed to disk, read back and compared, and only then published.

        Returns:
          Its path prefix.

        Raises:
          NonFiniteError: if a variable is infinite or NaN; nothing is written.
          UserError: if what was read back is not what was to be saved; nothing is published.
        """
        if self._folder.fault(step) is not None:
            self._write(step)
        self._mark(step)
        self._folder.thin(self._keep, self._keep_every_hours, step)
        return self._folder.prefix(step)

    def _write(self, step: int) -> None:
        poisoned = first_non_finite(self._checkpoint)
        if poisoned is not None:
            raise NonFiniteError(f"step {step}: {poisoned} is not finite")
        self._step.assign(step)
        # A function of the step as all else, however often the run was interrupted.
        self._checkpoint.save_counter.assign(step)
        with self._folder.aside(step) as prefix:
            self._checkpoint.write(prefix)
            different = first_difference(self._checkpoint, prefix)
            if different is not None:
                raise UserError(
                    f"the checkpoint of step {step} was written, and {different}: it is not kept; "
                    "what was saved before is as it was. Do not trust this machine's disk or memory"
                )
            self._folder.publish(step)

    def _restore(self, prefix: str) -> None:
        try:
            self._checkpoint.restore(prefix).assert_consumed()
        except (ValueError, AssertionError, IndexError, tf.errors.OpError) as error:
            if machine_fault(error) is not None:
                raise  # No memory for it, say: it belongs to these models.
            raise UserError(
                f"checkpoint {prefix} cannot be restored: {first_line(error)}"
            ) from error

    def _before_lost(self, newest: int, lost: Sequence[int]) -> int:
        """The step to go on from where records of some steps are lost."""
        if not lost:
            return newest
        # None that is kept for good: it may be days of training ago.
        recent = [x for x in self._folder.steps()[-self._keep :] if self._folder.fault(x) is None]
        again = [step for step in lost if step > recent[0]]
        start, _ = self._folder.newest_whole(at_most=again[0] - 1 if again else newest)
        assert start is not None  # The oldest of them at least.
        for steps, what in (
            (again, f"training goes on from step-{start}, which makes them again"),
            (lost[: len(lost) - len(again)], "no checkpoint is old enough to make them again"),
        ):
            if steps:
                place = f"step {steps[0]}" + (f" to {steps[-1]}" if len(steps) > 1 else "")
                self._say(f"WARNING: {len(steps)} records of {place} are lost: {what}")
        return start

    def _refuse_lost(self, faults: Mapping[int, str]) -> None:
        """Starting anew over what a run has saved would lose it."""
        if faults:
            found = "; ".join(f"step-{step}: {fault}" for step, fault in faults.items())
            raise UserError(
                f"no checkpoint under {self._folder.path} can be read ({found}): nothing is "
                "trained over this run. Restore one from a copy, or give a new --run_dir"
            )
        if self._marker is not None and self._marker.exists():
            raise UserError(
                f"{self._folder.path} holds no checkpoint, and the run has saved some "
                f"({self._marker.name}): nothing is trained over it. Restore one from a copy, or "
                "give a new --run_dir"
            )

    def _mark(self, step: int) -> None:
        if self._marker is not None and not self._marker.exists():
            write_atomically(self._marker, json.dumps({"checkpoint_seen_at_step": step}) + "\n")


def kept_steps(directory: PathLike) -> list[int]:
    """Returns the steps of the checkpoints in a run's checkpoint directory, ascending."""
    return CheckpointFolder(directory).steps()


def checkpoint_of_step(directory: PathLike, step: str = "last") -> str:
    """Finds a checkpoint, for programs that read a run which another one may be training.

    A damaged one is refused and not passed over: what is measured would be of another step than
    was asked for. Nothing is changed.

    Args:
      directory: the checkpoint directory of a run.
      step: "last", or the number of a step.

    Returns:
      Path prefix of the checkpoint.

    Raises:
      UserError: if there is none, naming those that exist, or if it is damaged.
    """
    folder = CheckpointFolder(directory)
    if step == "last":
        before, (whole, faults) = folder.steps(), folder.newest_whole()
        while faults and folder.steps() != before:
            # Training has removed what was looked at, and saved another.
            before, (whole, faults) = folder.steps(), folder.newest_whole()
        if whole is None and not faults:
            raise UserError(f"there is no checkpoint under {directory}")
        if faults:
            newest, fault = next(iter(faults.items()))
            others = "no other can be read" if whole is None else f"step-{whole} can be read"
            raise UserError(
                f"checkpoint {folder.prefix(newest)} is damaged: {fault}; {others} (--checkpoint), "
                "and training on sets the damaged one aside"
            )
        assert whole is not None  # There is one, and nothing newer is damaged.
        return folder.prefix(whole)
    kept = folder.steps()
    if step not in map(str, kept):
        known = ", ".join(map(str, kept)) or "none"
        raise UserError(f"there is no checkpoint of step {step} under {directory}: {known} kept")
    what = folder.fault(int(step))
    if what is not None:
        raise UserError(f"checkpoint {folder.prefix(int(step))} is damaged: {what}")
    return folder.prefix(int(step))


def load_weights(path: str, models: Mapping[str, keras.Model]) -> None:
    """Loads the models of another run's checkpoint, leaving optimizers and step alone.

    Args:
      path: path prefix of the checkpoint.
      models: dict from name to built model.

    Raises:
      UserError: if it does not fit the models, or is damaged or gone.
    """
    try:
        status = tf.train.Checkpoint(**models).restore(path).expect_partial()
        status.assert_existing_objects_matched()
    except (ValueError, AssertionError, IndexError, tf.errors.OpError) as error:
        # TensorFlow would list every value that is left, a line each, when the models go.
        tf.get_logger().addFilter(_is_not_of_unrestored)
        if not pathlib.Path(f"{path}.index").exists():
            raise UserError(f"checkpoint {path} is not there (any more)") from error
        if machine_fault(error) is not None:
            raise
        raise UserError(
            f"checkpoint {path} does not fit this run's models: {first_line(error)}"
        ) from error


def _is_not_of_unrestored(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(
        ("Detecting that an object or model", "Value in checkpoint", "Value in object")
    )
