"""A step that several tests share, each from where training begins."""

import numpy as np
import tensorflow as tf

from tests import tiny


def step_tensor(step):
    return tf.constant(step, tf.int64)


def variables(players):
    """All that a step changes."""
    models = (players.discriminator, players.generator, players.average_generator)
    optimizers = (players.discriminator_optimizer, players.generator_optimizer)
    return [variable for owner in (*models, *optimizers) for variable in owner.variables]


class Reusable:
    """Players and a step that is compiled once, for tests that each begin where training does."""

    def __init__(self, *bindings):
        self.players, self.step = tiny.build(*bindings)
        self._initial = [np.array(variable) for variable in variables(self.players)]

    def from_the_start(self):
        """Gives every variable its initial value; returns players and step."""
        for variable, value in zip(variables(self.players), self._initial, strict=True):
            variable.assign(value)
        return self.players, self.step
