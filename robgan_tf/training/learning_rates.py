"""Learning rates over training steps: constant, halving, drops, linear and cosine decay.

A step is one G update and `updates_per_step` D updates; the schedules of both optimizers run on
steps, so that a file says one thing for both.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.utils.register_keras_serializable(package="robgan_tf")
class StepLearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a training step.

    Args:
      learning_rate: rate at the start.
      schedule: "constant"; "halving", half the rate after every `halve_every` steps; "drops", a
        tenth of it after each of `drop_at`; "linear" or "cosine", constant until `decay_start` and
        then straight, or along half a cosine, down to zero at `decay_end`.
      halve_every: steps between halvings.
      decay_start: step at which decay begins.
      decay_end: step at which it reaches zero: a horizon of its own, so that training longer
        does not change the rates of the steps already made.
      drop_at: ascending steps.
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
        kind = keras.config.floatx()
        step = tf.cast(tf.cast(iterations, tf.int64) // self.updates_per_step, kind)
        rate = tf.constant(self.learning_rate, kind)
        if self.schedule == "halving":
            return rate * 0.5 ** tf.floor(step / self.halve_every)
        if self.schedule == "drops":
            passed = step >= tf.constant(self.drop_at, kind)
            return rate * 0.1 ** tf.reduce_sum(tf.cast(passed, kind))
        if self.schedule in ("linear", "cosine"):
            assert self.decay_end is not None, f"{self.schedule} needs decay_end"
            left = (self.decay_end - step) / (self.decay_end - self.decay_start)
            left = tf.clip_by_value(left, 0.0, 1.0)
            if self.schedule == "cosine":
                left = 0.5 - 0.5 * tf.cos(math.pi * left)
            return rate * left
        return rate

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for Keras to store."""
        return dict(vars(self))
