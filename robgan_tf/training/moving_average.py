"""Exponential moving average of a model's variables."""

import keras
import tensorflow as tf


def update_moving_average(
    average: keras.Model, model: keras.Model, decay: float, step: tf.Tensor
) -> None:
    """Moves each variable of `average` towards the same variable of `model`.

    Early on the decay is lower, min(decay, (1 + step) / (10 + step)), so that the average does
    not remember the initial weights.

    Args:
      average: model of the same architecture that holds the average.
      model: model being trained; moving averages of batch normalization are averaged too.
      decay: share of the old average that is kept, in [0, 1).
      step: scalar, the number of updates made so far.
    """
    step = tf.cast(step, tf.float32)
    share = 1.0 - tf.minimum(decay, (1.0 + step) / (10.0 + step))
    # Once a type, not once a variable: training compiles sooner.
    moves: dict[tf.DType, tf.Tensor] = {}
    for averaged, variable in zip(average.variables, model.variables, strict=True):
        current = tf.convert_to_tensor(averaged)
        if current.dtype not in moves:
            moves[current.dtype] = tf.cast(share, current.dtype)
        averaged.assign(current + moves[current.dtype] * (tf.convert_to_tensor(variable) - current))
