"""The learning rate of a training step, by a schedule of `training.schedules`.

A step is one G update and `updates_per_step` D updates; the schedules of both optimizers run on
steps, so that a file says one thing for both.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.choices import SCHEDULES


@keras.utils.register_keras_serializable(package="robgan_tf")
class StepLearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a training step.

    Args:
      learning_rate: rate at the start.
      schedule: name of a module of `training.schedules`, or of a choice that was added.
      halve_every: as in `training.schedule.Times`, and so the next three.
      decay_start: likewise.
      decay_end: likewise.
      drop_at: likewise.
      updates_per_step: updates this optimizer makes in one training step.
    """

    def __init__(
        self,
        learning_rate: float,
        schedule: str = "constant",
        halve_every: int | None = None,
        decay_start: int = 0,
        decay_end: int | None = None,
        drop_at: Sequence[int] = (),
        updates_per_step: int = 1,
    ) -> None:
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.halve_every = halve_every
        self.decay_start = decay_start
        self.decay_end = decay_end
        self.drop_at = tuple(drop_at)
        self.updates_per_step = updates_per_step

    def __call__(self, iterations: tf.Tensor) -> tf.Tensor:
        """Returns the rate of the update after `iterations` updates, a scalar of Keras's floatx."""
        kind = keras.backend.floatx()
        step = tf.cast(tf.cast(iterations, tf.int64) // self.updates_per_step, kind)
        rate = tf.constant(self.learning_rate, kind)
        return rate * SCHEDULES.get(self.schedule).share(step, self)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for Keras to store."""
        return dict(vars(self))
