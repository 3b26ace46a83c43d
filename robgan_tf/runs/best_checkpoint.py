"""The best checkpoint: the model that a measure was highest for."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from robgan_tf.runs.checkpoint_folder import CheckpointFolder
from robgan_tf.runs.checkpoints import Checkpoints
from robgan_tf.typing import PathLike


class BestCheckpoint:
    """Keeps the model that a measure was highest for, beside the newest checkpoints.

    Its variables belong into the newest checkpoints too, so that a run that continues from one
    knows what the best was until then, and finds again what came after.

    Args:
      directory: where the best checkpoint is kept.
      objects: dict from a stable name to a model.
      say: prints a line, of what is damaged.
    """

    def __init__(
        self,
        directory: PathLike,
        objects: Mapping[str, Any],
        say: Callable[[str], object] = print,
    ) -> None:
        self.value = tf.Variable(float("-inf"), dtype=tf.float64, trainable=False)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._folder = CheckpointFolder(directory)
        self._checkpoints = Checkpoints(directory, objects, keep=1, say=say)
        self._say = say

    def check(self) -> None:
        """Sets a damaged one aside, to be called once the newest checkpoint is restored.

        Where none is left, the best is chosen anew among what is still to come: no later model
        could be kept that is better than those to come, but not than the one that was lost.
        """
        whole, faults = self._folder.newest_whole()
        for step, fault in faults.items():
            folder = self._folder.set_aside(step)
            self._say(
                f"WARNING: the best checkpoint, step-{step}, is damaged ({fault}) and was moved to "
                f"{folder}"
            )
        if whole is not None:
            # A kill between the publication of one and the removal of the other leaves two.
            self._folder.thin(1, 0.0, whole)
        if whole is None and int(self.step):
            self._say(
                f"WARNING: there is no best checkpoint of step {int(self.step)} any more "
                f"({float(self.value):.6g}); the best is chosen anew from here on"
            )
            self.value.assign(float("-inf"))
            self.step.assign(0)

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
