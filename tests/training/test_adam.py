"""Adam's epsilon, and which root it is added to, against the formulas written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.config.groups import GeneratorOptimizerSettings
from robgan_tf.keras_versions import Variable
from robgan_tf.stages.build import build_optimizer
from robgan_tf.training.adam import Adam, CorrectedAdam
from robgan_tf.training.learning_rates import StepLearningRate

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
    variable = Variable(np.zeros(5))
    optimizer = build_optimizer(settings, [variable])
    apply = tf.function(lambda gradient: optimizer.apply_gradients([(gradient, variable)]))
    for gradient, expected in zip(GRADIENTS, by_hand(epsilon, corrected), strict=True):
        apply(tf.constant(gradient))
        np.testing.assert_allclose(variable, expected, rtol=1e-12)


def test_a_checkpoint_holds_the_same_on_either_stack(tmp_path):
    """So a run of one is continued on the other."""
    settings = GeneratorOptimizerSettings(learning_rate=RATE, beta_1=BETA_1, beta_2=BETA_2)
    optimizer = build_optimizer(settings, [Variable(np.zeros(5, np.float32))])
    prefix = tf.train.Checkpoint(optimizer=optimizer).write(str(tmp_path / "state"))
    names = {name.partition("/.ATTRIBUTES")[0] for name, _ in tf.train.list_variables(prefix)}
    # In a whole checkpoint the models' variables are under the models' names.
    names -= {"_CHECKPOINTABLE_OBJECT_GRAPH", "optimizer/_trainable_variables/0"}
    assert names == {f"optimizer/{x}" for x in ("_iterations", "_variables/1", "_variables/2")}


@pytest.mark.parametrize(
    ("beta_2", "tolerance"),
    # 1 - beta_2 is rounded in float32: that much of it.
    [(BETA_2, 1e-6), (0.999, 2e-5)],
    ids=["joint", "classifier"],
)
@pytest.mark.parametrize("replicas", [False, True])
def test_the_default_is_keras_s_adam_in_one_operation_a_variable(replicas, beta_2, tolerance):
    """Within rounding, so that runs go on as they began."""
    strategy = (
        tf.distribute.MirroredStrategy(["CPU:0"]) if replicas else tf.distribute.get_strategy()
    )
    generator = np.random.default_rng(0)
    start = [generator.normal(size=shape).astype(np.float32) for shape in ([3, 3, 5, 7], [7])]
    updated = []
    for adam in (keras.optimizers.Adam, Adam):
        with strategy.scope():
            variables = [Variable(value) for value in start]
            optimizer = adam(StepLearningRate(RATE, "halving", halve_every=3), BETA_1, beta_2)
            optimizer.build(variables)

        def apply(gradients, optimizer=optimizer, variables=variables):
            # Computed on the replica's own device.
            gradients = [tf.identity(gradient) for gradient in gradients]
            optimizer.apply_gradients(zip(gradients, variables, strict=True))

        step = tf.function(
            lambda gradients, apply=apply: strategy.run(apply, args=(gradients,)), autograph=False
        )
        scales = np.random.default_rng(1).normal(size=8) ** 5
        for scale in scales:
            step([tf.constant(np.float32(scale) * value[..., ::-1]) for value in start])
        updated.append([np.array(x) for x in (*variables, *optimizer.variables)])
    theirs, ours = updated
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=1e-7 * np.abs(other).max())
    graph = step.get_concrete_function([tf.constant(x) for x in start]).graph.as_graph_def()
    functions = [node for function in graph.library.function for node in function.node_def]
    updates = [node for node in [*graph.node, *functions] if node.op.endswith("ApplyAdam")]
    assert len(updates) == len(start)


@pytest.mark.parametrize("setting", ["amsgrad", "use_ema"])
def test_what_it_does_not_do_is_refused(setting):
    with pytest.raises(ValueError, match=setting):
        Adam(RATE, **{setting: True})


def test_a_state_fits_both(tmp_path):
    variable = Variable(np.zeros(5, np.float32))
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
