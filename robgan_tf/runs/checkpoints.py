"""Checkpoints: everything needed to continue a run, the newest few of them."""

import logging
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.errors import UserError, first_line
from robgan_tf.typing import PathLike


class Checkpoints:
    """Saves and restores trackable objects together with the step.

    Args:
      directory: where checkpoints are kept.
      objects: dict from a stable name to a model or built optimizer.
      keep: how many of the newest are kept.
    """

    def __init__(self, directory: PathLike, objects: Mapping[str, Any], keep: int) -> None:
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoint = tf.train.Checkpoint(step=self._step, **objects)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(directory), max_to_keep=keep, checkpoint_name="step"
        )

    @property
    def latest(self) -> str | None:
        """Path prefix of the newest checkpoint, or None."""
        return self._manager.latest_checkpoint

    def restore_latest(self) -> int:
        """Restores the newest checkpoint.

        Returns:
          Its step; 0 where there is none.

        Raises:
          UserError: if it cannot be read or does not belong to these models.
        """
        if self.latest is None:
            self._refuse_lost_state()
            return 0
        try:
            self._checkpoint.restore(self.latest).assert_consumed()
        except (ValueError, AssertionError, IndexError, tf.errors.OpError) as error:
            raise UserError(
                f"checkpoint {self.latest} cannot be restored: {first_line(error)}"
            ) from error
        return int(self._step)

    def _refuse_lost_state(self) -> None:
        """Starting anew beside checkpoints that exist would lose them to rotation."""
        found = sorted(pathlib.Path(self._manager.directory).glob("step-*.index"))
        if found:
            raise UserError(
                f"{self._manager.directory} holds {found[-1].stem}, but its file 'checkpoint', "
                "which says which is the newest, is missing or damaged: restore that file"
            )

    def save(self, step: int) -> str:
        """Saves a checkpoint of a step, unless the newest one is of that step already.

        Returns:
          Its path prefix.
        """
        if self.latest is not None and self.latest.endswith(f"-{step}"):
            return self.latest
        self._step.assign(step)
        return self._manager.save(checkpoint_number=step)


class BestCheckpoint:
    """Keeps the model that a measure was highest for, beside the newest checkpoints.

    Its variables belong into the newest checkpoints too, so that a run that continues from one
    knows what the best was until then, and finds again what came after.

    Args:
      directory: where the best checkpoint is kept.
      objects: dict from a stable name to a model.
    """

    def __init__(self, directory: PathLike, objects: Mapping[str, Any]) -> None:
        self.value = tf.Variable(float("-inf"), dtype=tf.float64, trainable=False)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._checkpoints = Checkpoints(directory, objects, keep=1)

    def offer(self, value: float | None, step: int) -> None:
        """Keeps the model as it is if `value` is higher than every value before.

        Args:
          value: the measure; None where it was not measured.
          step: the step it belongs to.
        """
        if value is None or value <= float(self.value):
            return
        self._checkpoints.save(step)
        self.value.assign(value)
        self.step.assign(step)

    def objects(self) -> dict[str, tf.Variable]:
        """What belongs into the newest checkpoints."""
        return {"best_value": self.value, "best_step": self.step}


def kept_steps(directory: PathLike) -> list[int]:
    """Returns the steps of the checkpoints in a run's checkpoint directory, ascending."""
    paths = pathlib.Path(directory).glob("step-*.index")
    return sorted(int(path.stem.partition("-")[2]) for path in paths)


def checkpoint_of_step(directory: PathLike, step: str = "last") -> str:
    """Finds a checkpoint.

    Args:
      directory: the checkpoint directory of a run.
      step: "last", or the number of a step.

    Returns:
      Path prefix of the checkpoint.

    Raises:
      UserError: if there is none, naming those that exist.
    """
    if step == "last":
        latest = tf.train.latest_checkpoint(str(directory))
        if latest is None:
            raise UserError(f"there is no checkpoint under {directory}")
        return latest
    kept = kept_steps(directory)
    if step not in map(str, kept):
        known = ", ".join(map(str, kept)) or "none"
        raise UserError(f"there is no checkpoint of step {step} under {directory}: {known} kept")
    return str(pathlib.Path(directory) / f"step-{step}")


def load_weights(path: str, models: Mapping[str, keras.Model]) -> None:
    """Loads the models of another run's checkpoint, leaving optimizers and step alone.

    Args:
      path: path prefix of the checkpoint.
      models: dict from name to built model.

    Raises:
      UserError: if it does not fit the models.
    """
    try:
        status = tf.train.Checkpoint(**models).restore(path).expect_partial()
        status.assert_existing_objects_matched()
    except (ValueError, AssertionError, IndexError, tf.errors.OpError) as error:
        # TensorFlow would list every value that is left, a line each, when the models go.
        tf.get_logger().addFilter(_is_not_of_unrestored)
        raise UserError(
            f"checkpoint {path} does not fit this run's models: {first_line(error)}"
        ) from error


def _is_not_of_unrestored(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(
        ("Detecting that an object or model", "Value in checkpoint", "Value in object")
    )
