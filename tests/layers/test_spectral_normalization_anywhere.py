"""SpectralNormalization in place of Keras's: around any layer, in any type, called first anywhere.

The reference is the plain layer with its kernel divided by numpy's largest singular value. All
cases of Keras's wrapper beside it are in docs/results/spectral_normalization.
"""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.keras_versions import IS_KERAS_2, at_values
from robgan_tf.layers import SpectralNormalization
from tools import compare_spectral_normalization as comparison

TOLERANCES = {
    "float64": 1e-9,
    "float32": 1e-5,
    **dict.fromkeys(("bfloat16", "mixed_bfloat16"), 3e-2),
    **dict.fromkeys(("float16", "mixed_float16"), 4e-3),
}
KERAS = keras.layers.SpectralNormalization


@pytest.fixture
def under():
    """Sets Keras's dtype policy for the test."""
    before = keras.mixed_precision.global_policy()
    yield keras.mixed_precision.set_global_policy
    keras.mixed_precision.set_global_policy(before)


@pytest.mark.parametrize("policy", comparison.POLICIES)
@pytest.mark.parametrize("name", comparison.CASES)
def test_a_first_call_in_any_type_is_right_and_of_the_type_that_keras_gives(name, policy, under):
    under(policy)
    case = comparison.CASES[name]
    outputs = comparison.first_call(case, SpectralNormalization, False)
    assert comparison.difference(case, outputs) <= TOLERANCES[policy]
    # Keras's casts to the type of the inputs, and Keras 2's does not know depthwise kernels.
    if case.dtype == "float32" and not (IS_KERAS_2 and "Depthwise" in name):
        theirs = KERAS(case.make())(case.inputs())
        assert (outputs.dtype, outputs.shape) == (theirs.dtype, theirs.shape)


IN_FIT = ["Dense of float64", "Dense of int32", "Embedding of int32", "Conv1D, causal", "Conv2D"]


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_first_call_in_fit(policy, under):
    under(policy)
    for found in comparison.fitted(IN_FIT, SpectralNormalization).values():
        assert found <= TOLERANCES[policy]


def test_fit_trains():
    model = comparison.Averages(
        {name: SpectralNormalization(comparison.CASES[name].make()) for name in IN_FIT}
    )
    inputs = {name: comparison.CASES[name].inputs()[None] for name in IN_FIT}
    model.compile(keras.optimizers.SGD(1e-2), "mean_squared_error")
    history = model.fit(inputs, np.zeros([1, len(IN_FIT)]), batch_size=1, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["Dense", "Embedding of int32", "Conv1D, causal"])
def test_a_first_call_in_a_graph(name, policy, under):
    under(policy)
    case = comparison.CASES[name]
    outputs = comparison.first_call(case, SpectralNormalization, True)
    assert comparison.difference(case, outputs) <= TOLERANCES[policy]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("length", [3, None])
def test_time_distributed(length, policy, under):
    under(policy)
    images = np.random.default_rng(0).uniform(-1.0, 1.0, [2, 3, 6, 6, 4])
    images = images.astype(np.float32)  # The type of a `keras.Input`.
    layer = SpectralNormalization(keras.layers.Conv2D(5, 3, padding="same"))
    inputs = keras.Input([length, 6, 6, 4])
    model = keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs))
    found = np.asarray(model(images), np.float64)
    each = [np.asarray(layer(images[:, index]), np.float64) for index in range(3)]
    assert model.output_shape == (None, length, 6, 6, 5)
    np.testing.assert_allclose(found, np.stack(each, axis=1), atol=TOLERANCES[policy])
    assert found.std() > 0.05


def test_every_layer_that_keras_wraps_is_among_the_cases():
    names = {type(case.make()).__name__ for case in comparison.CASES.values()}
    for name in dir(keras.layers):
        kind = getattr(keras.layers, name)
        if isinstance(kind, type) and (hasattr(kind, "kernel") or hasattr(kind, "embeddings")):
            assert kind.__name__ in names


def test_what_the_layer_counts_and_adds_is_kept():
    layer = SpectralNormalization(comparison.OwnLayer(activity_regularizer="l2"))
    inputs = tf.ones([2, 6])
    outputs = layer(inputs)
    layer(inputs)
    assert int(layer.layer.calls) == 2
    expected = 0.01 * tf.reduce_sum(tf.square(outputs)) / 2.0
    np.testing.assert_allclose(layer.losses, [expected], rtol=1e-5)


def test_around_itself_it_changes_nothing():
    inputs = tf.random.stateless_normal([3, 6], [1, 2])
    once = SpectralNormalization(keras.layers.Dense(4))
    twice = SpectralNormalization(once)
    outputs = twice(inputs, training=True)
    np.testing.assert_allclose(outputs, once(inputs), rtol=1e-5, atol=1e-6)


def test_a_call_with_values_given_from_outside_uses_them():
    inputs = tf.random.stateless_normal([3, 6], [1, 2])
    layer, other = (SpectralNormalization(keras.layers.Dense(4)) for _ in range(2))
    expected = other(inputs)
    other.layer.bias.assign([1.0, 2.0, 3.0, 4.0])
    expected = other(inputs)
    layer(inputs)
    trainable, rest = (
        [tf.convert_to_tensor(variable) for variable in variables]
        for variables in (other.trainable_variables, other.non_trainable_variables)
    )
    if IS_KERAS_2:
        variables = [*layer.trainable_variables, *layer.non_trainable_variables]
        with at_values(layer, variables, [*trainable, *rest]):
            outputs = layer(inputs)
    else:
        outputs, _ = layer.stateless_call(trainable, rest, inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_copies_compute_the_same(policy, under, tmp_path):
    under(policy)
    case = comparison.CASES["Conv2D"]
    layer = SpectralNormalization(case.make(), 3)
    inputs = tf.constant(case.inputs())
    expected = layer(inputs, training=True)
    model = keras.Sequential([keras.Input(case.shape[1:]), layer])
    model.save(tmp_path / "model.keras")
    copies = [pickle.loads(pickle.dumps(model))]
    if not (IS_KERAS_2 and policy == "mixed_float16"):  # There a plain layer cannot be copied.
        copies.append(copy.deepcopy(layer))
    for other in (*copies, keras.models.load_model(tmp_path / "model.keras")):
        np.testing.assert_array_equal(other(inputs), expected)
