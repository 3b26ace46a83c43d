"""Adam's epsilon, and which root it is added to, against the formulas written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.config.groups import GeneratorOptimizerSettings
from robgan_tf.stages.build import build_optimizer
from robgan_tf.training.adam import CorrectedAdam

RATE, BETA_1, BETA_2 = 2e-4, 0.5, 0.9
# Gradients that are not large beside epsilon, so that its place shows.
GRADIENTS = 1e-6 * np.random.default_rng(0).normal(size=(6, 5))


def by_hand(epsilon, corrected):
    """The variable after each update, started from 0."""
    value, mean, square = np.zeros(5), np.zeros(5), np.zeros(5)
    for update, gradient in enumerate(GRADIENTS, start=1):
        mean = BETA_1 * mean + (1 - BETA_1) * gradient
        square = BETA_2 * square + (1 - BETA_2) * gradient**2
        of_mean, of_square = 1 - BETA_1**update, 1 - BETA_2**update
        place = 1.0 if corrected else 1.0 / np.sqrt(of_square)
        value = value - RATE * (mean / of_mean) / (np.sqrt(square / of_square) + epsilon * place)
        yield value


@pytest.mark.parametrize(
    ("bindings", "epsilon", "corrected"),
    [
        ({}, 1e-7, False),
        ({"epsilon": 1e-8}, 1e-8, False),
        ({"epsilon": 1e-8, "epsilon_place": "corrected"}, 1e-8, True),
        ({"epsilon_place": "corrected"}, 1e-7, True),
    ],
)
def test_each_place_and_size(bindings, epsilon, corrected, in_float64):
    settings = GeneratorOptimizerSettings(
        learning_rate=RATE, beta_1=BETA_1, beta_2=BETA_2, **bindings
    )
    variable = keras.Variable(np.zeros(5))
    optimizer = build_optimizer(settings, [variable])
    apply = tf.function(lambda gradient: optimizer.apply_gradients([(gradient, variable)]))
    for gradient, expected in zip(GRADIENTS, by_hand(epsilon, corrected), strict=True):
        apply(tf.constant(gradient))
        # Keras keeps its betas in float32 even here.
        np.testing.assert_allclose(variable, expected, rtol=1e-12 if corrected else 1e-6)


def test_the_default_is_keras_s_own_class():
    """So the numbers of runs that were made before stay what they were."""
    optimizer = build_optimizer(GeneratorOptimizerSettings(), [keras.Variable(np.zeros(5))])
    assert type(optimizer) is keras.optimizers.Adam and optimizer.epsilon == 1e-7


def test_a_state_fits_both(tmp_path):
    variable = keras.Variable(np.zeros(5))
    theirs, ours = keras.optimizers.Adam(RATE), CorrectedAdam(RATE)
    for optimizer in (theirs, ours):
        optimizer.build([variable])
    theirs.apply_gradients([(tf.ones(5), variable)])
    path = tf.train.Checkpoint(optimizer=theirs).write(str(tmp_path / "state"))
    tf.train.Checkpoint(optimizer=ours).read(path).assert_consumed()
    for one, other in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(ours))
    assert type(again) is CorrectedAdam and again.get_config() == ours.get_config()
