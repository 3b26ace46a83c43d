"""Learning rates against numbers worked out by hand."""

import keras
import pytest
import tensorflow as tf

from robgan_tf import choices
from robgan_tf.keras_versions import Variable
from robgan_tf.training.learning_rates import StepLearningRate
from robgan_tf.training.schedule import Schedule


def rates(schedule, iterations):
    return [float(schedule(iteration)) for iteration in iterations]


def test_constant():
    assert rates(StepLearningRate(2e-4), [0, 10**6]) == pytest.approx([2e-4, 2e-4])


def test_halving_counts_steps_not_updates():
    schedule = StepLearningRate(8e-4, "halving", halve_every=10, updates_per_step=5)
    expected = [8e-4, 8e-4, 4e-4, 4e-4, 2e-4]
    assert rates(schedule, [0, 49, 50, 99, 100]) == pytest.approx(expected)


def test_linear_decay_has_its_own_horizon():
    schedule = StepLearningRate(1e-3, "linear", decay_start=100, decay_end=300)
    expected = [1e-3, 1e-3, 5e-4, 0.0, 0.0]
    assert rates(schedule, [0, 100, 200, 300, 1000]) == pytest.approx(expected)


def test_moments_survive_a_cut():
    """The official code builds a new Adam at each cut, which forgets its moments."""
    optimizer = keras.optimizers.Adam(StepLearningRate(1.0, "halving", halve_every=1), 0.9, 0.9)
    variable = Variable([0.0])
    optimizer.build([variable])
    for _ in range(3):
        optimizer.apply_gradients([([1.0], variable)])
    # Bias-corrected Adam moves by exactly the rate for a constant gradient: 1 + 1/2 + 1/4.
    assert float(variable[0]) == pytest.approx(-1.75, rel=1e-3)


def test_configuration_round_trip():
    schedule = StepLearningRate(1e-3, "linear", decay_start=1, decay_end=5, updates_per_step=2)
    copy = StepLearningRate.from_config(schedule.get_config())
    assert vars(copy) == vars(schedule)


def test_drops_are_keras_piecewise_constant_decay():
    ours = StepLearningRate(1e-3, "drops", drop_at=(10, 30))
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay([9, 29], [1e-3, 1e-4, 1e-5])
    at = [0, 9, 10, 29, 30, 1000]
    assert rates(ours, at) == pytest.approx(rates(theirs, at))


def test_cosine_is_that_of_keras_from_its_start_on():
    ours = StepLearningRate(1e-3, "cosine", decay_start=10, decay_end=50)
    theirs = keras.optimizers.schedules.CosineDecay(1e-3, 40)
    assert rates(ours, [0, 10]) == pytest.approx([1e-3, 1e-3])
    later = [15, 30, 49, 50, 70]
    expected = rates(theirs, [step - 10 for step in later])
    assert rates(ours, later) == pytest.approx(expected, abs=1e-9)


def test_a_schedule_can_be_added(monkeypatch):
    class WarmUp(Schedule):
        def share(self, step, times):
            return tf.minimum(step / times.decay_end, 1.0)

    monkeypatch.setattr(choices, "_registered", {})
    choices.register("training/schedules", "warm_up", WarmUp())
    ours = StepLearningRate(1e-3, "warm_up", decay_end=10, updates_per_step=2)
    assert rates(ours, [0, 1, 10, 20, 99]) == pytest.approx([0.0, 0.0, 5e-4, 1e-3, 1e-3])
