"""The networks and their layers as Keras objects: saved, loaded elsewhere, copied, trained."""

import copy
import functools
import pickle
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf import layers
from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.models import PreActResNet18, ResNetDiscriminator, ResNetGenerator
from robgan_tf.models.blocks import DiscriminatorBlock, GeneratorBlock
from robgan_tf.models.normalized_block import NormalizedDiscriminatorBlock
from robgan_tf.models.preact_resnet import PreActBlock

LABELS = np.array([2, 0, 1], np.int32)
D = {"resolution": 16, "num_classes": 3, "base_width": 4, "widths": "1, 2"}
G = {**D, "widths": "2; 2, 1", "latent_size": 8}
CASES = {
    "generator": lambda: ResNetGenerator(**G),
    "generator without classes": lambda: ResNetGenerator(
        **{**G, "num_classes": 0}, precision="bfloat16"
    ),
    "generator of a named row": lambda: ResNetGenerator(32, 1, 3, 2, "sngan", 8, name="g"),
    "spectral": lambda: ResNetDiscriminator(**D),
    "batch": lambda: ResNetDiscriminator(**D, normalization="batch", use_bias=True),
    "neither": lambda: ResNetDiscriminator(**D, normalization="none", head="none", channels=1),
    "projection": lambda: ResNetDiscriminator(**D, head="projection", power_iterations=3),
    "bfloat16": lambda: ResNetDiscriminator(**D, precision="bfloat16"),
    "from pixels": lambda: ResNetDiscriminator(**{**D, "base_width": 64, "widths": "1, 1-"}),
    "published generator": lambda: ResNetGenerator(**G, form="official_code"),
    "published batch": lambda: ResNetDiscriminator(
        **D, normalization="batch", form="official_code", precision="bfloat16"
    ),
    "preact": lambda: PreActResNet18(16, 3, 3, base_width=2),
    "published preact": lambda: PreActResNet18(
        16, 1, 3, base_width=2, normalization="batch", precision="bfloat16", form="official_code"
    ),
}


@functools.cache
def build(name):
    """A model whose every variable is like no initial one; nobody changes it."""
    keras.utils.set_random_seed(1)
    model = CASES[name]()
    model.build()
    for number, variable in enumerate(model.variables):
        noise = tf.random.stateless_uniform(variable.shape, [number, 7], 0.0, 0.03)
        variable.assign_add(noise)
    for layer in spectral_normalization_layers(model):
        layer.advance()
    return model


@functools.cache
def expected_of(name):
    """What it computes."""
    return outputs(build(name))


def outputs(model):
    first = tf.random.stateless_uniform([3, *model.example_shape[1:]], [1, 2], -1.0, 1.0)
    found = model(first, LABELS, training=False)
    found = found if isinstance(found, tuple) else (found,)
    return [np.asarray(values) for values in found if values is not None]


def assert_equal(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def loaded_elsewhere(tmp_path_factory):
    """What each saved model computes in a new process that has only imported the package."""
    folder = tmp_path_factory.mktemp("saved")
    for name in CASES:
        build(name).save(folder / f"{name}.keras")
    code = """
        import pathlib, sys
        import numpy as np
        import robgan_tf.models
        import keras
        import tensorflow as tf
        labels = np.array([2, 0, 1], np.int32)
        for path in pathlib.Path(sys.argv[1]).glob("*.keras"):
            model = keras.models.load_model(path)
            shape = [3, *model.example_shape[1:]]
            first = tf.random.stateless_uniform(shape, [1, 2], -1.0, 1.0)
            found = model(first, labels, training=False)
            found = found if isinstance(found, tuple) else (found,)
            found = [np.asarray(values) for values in found if values is not None]
            np.savez(path.with_suffix(".npz"), *found)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(folder)], check=True)
    return {path.stem: list(np.load(path).values()) for path in folder.glob("*.npz")}


@pytest.mark.parametrize("name", CASES)
def test_a_saved_model_computes_the_same_in_a_new_process(name, loaded_elsewhere):
    expected = expected_of(name)
    assert np.isfinite(expected[0]).all() and np.ptp(expected[0])
    assert_equal(loaded_elsewhere[name], expected)


@pytest.mark.parametrize("name", CASES)
def test_copies_compute_the_same(name):
    model, expected = build(name), expected_of(name)
    again = type(model).from_config(model.get_config())
    again.build()
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    clone = keras.models.clone_model(model)
    clone.build()
    clone.set_weights(model.get_weights())
    for other in (again, clone, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other is not model
        assert_equal(outputs(other), expected)


LAYERS = {
    "convolution": (layers.Convolution2D(3, 5, precision="bfloat16"), [2, 8, 8, 4]),
    "strided": (layers.StridedConvolution2D(3, 3, 2, activation="relu"), [2, 8, 8, 4]),
    "pixels": (layers.PixelConvolution2D(3, use_bias=False), [2, 8, 8, 4]),
    "pooled": (layers.PooledConv2D(3), [2, 8, 8, 4]),
    "up-sampled": (layers.UpSampledConv2D(3), [2, 8, 8, 4]),
    "strided, padded evenly": (
        layers.StridedConvolution2D(3, 3, 2, even_padding=True),
        [2, 8, 8, 4],
    ),
    "batch normalization": (layers.BatchNormalization(0.5, 1e-3, unbiased=True), [2, 8, 8, 4]),
    "spectral dense": (layers.SpectralNormalization(keras.layers.Dense(3), 4), [2, 4]),
    "spectral pooled": (layers.SpectralNormalization(layers.PooledConv2D(3)), [2, 8, 8, 4]),
    "block of D": (DiscriminatorBlock(6, True, "spectral", first=True), [2, 8, 8, 4]),
    "block of D, batch": (DiscriminatorBlock(6, False, "batch", use_bias=True), [2, 8, 8, 4]),
    "block of D, published": (NormalizedDiscriminatorBlock(6, True, "batch"), [2, 8, 8, 4]),
    "block of PreActResNet-18": (PreActBlock(6, 2, "batch"), [2, 8, 8, 4]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_in_somebody_elses_saved_model(name, tmp_path):
    layer, shape = LAYERS[name]
    inputs = tf.random.stateless_uniform(shape, [3, 4], -1.0, 1.0)
    model = keras.Sequential([keras.Input(shape[1:]), type(layer).from_config(layer.get_config())])
    for number, variable in enumerate(model.variables):
        variable.assign_add(tf.random.stateless_uniform(variable.shape, [number, 8], 0.0, 0.2))
    expected = model(inputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), expected)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(inputs), expected)


@pytest.mark.parametrize(
    "layer",
    [
        layers.ClassConditionalBatchNormalization(3, momentum=0.5),
        GeneratorBlock(6, True, 3, "bfloat16"),
    ],
)
def test_layers_that_know_classes(layer):
    inputs = tf.random.stateless_uniform([3, 8, 8, 4], [3, 4], -1.0, 1.0)
    expected = layer(inputs, LABELS)
    again = type(layer).from_config(layer.get_config())
    again(inputs, LABELS)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(inputs, LABELS), expected)
    assert again.get_config() == layer.get_config()


def test_models_build_themselves_inside_a_graph():
    first = tf.random.stateless_uniform([3, 16, 16, 3], [1, 2], -1.0, 1.0)
    for name in ("spectral", "published preact", "generator"):
        model = CASES[name]()
        inputs = first[:, 0, :8, 0] if name == "generator" else first[..., : model.channels]
        call = tf.function(lambda x, model=model: model(x, LABELS, training=False), autograph=False)
        found = call(inputs)
        expected = model(inputs, LABELS, training=False)
        for one, other in zip(*map(tf.nest.flatten, (found, expected)), strict=True):
            # What a graph fuses may round otherwise.
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_classifier_is_trained_by_fit():
    # The same weights each time: from some, ten steps are too few.
    keras.utils.set_random_seed(0)
    model = CASES["preact"]()
    first = tf.random.stateless_uniform([3, 16, 16, 3], [1, 2], -1.0, 1.0)
    inputs = keras.Input([16, 16, 3])
    classifier = keras.Model(inputs, model(inputs)[1])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
    history = classifier.fit(first, LABELS, epochs=10, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2


@pytest.mark.parametrize("name", ["spectral", "published preact", "generator"])
def test_a_network_that_was_not_built_is_saved_and_copied(name, tmp_path):
    model = CASES[name]()
    model.save(tmp_path / "model.keras")
    expected = outputs(model)
    assert_equal(outputs(keras.models.load_model(tmp_path / "model.keras")), expected)
    for make in (copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))):
        model = CASES[name]()
        assert_equal(outputs(make(model)), outputs(model))


class Classifier(keras.Model):
    """Somebody else's model around a network that nothing has built."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, images, training=False):
        return self.network(images, training=training)[1]


# One is compiled, and the spectral one in float32 by its own `fit`, below; what is built within a
# graph is held by test_models_build_themselves_inside_a_graph.
@pytest.mark.parametrize("name", ["batch", "bfloat16", "preact"])
def test_a_network_that_was_not_built_is_trained_inside_another_model(name):
    images = tf.random.stateless_uniform([3, 16, 16, 3], [1, 2], -1.0, 1.0)
    model = Classifier(CASES[name]())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Plain descent has fewest operations to compile.
    model.compile(keras.optimizers.SGD(0.01), loss, run_eagerly=name != "batch")
    history = model.fit(images, LABELS, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert model.predict(images, verbose=0).shape == (3, 3)


def test_a_discriminator_that_was_not_built_is_trained_by_its_own_fit():
    images = tf.random.stateless_uniform([3, 16, 16, 3], [1, 2], -1.0, 1.0)
    model = CASES["spectral"]()
    losses = [
        keras.losses.BinaryCrossentropy(from_logits=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ]
    model.compile(keras.optimizers.SGD(0.1), losses)
    history = model.fit(images, [np.ones([3]), LABELS], epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_another_dtype_than_that_of_keras_is_refused():
    with pytest.raises(ValueError, match="a model in float64 and Keras is set to float32: call"):
        ResNetGenerator(**G, dtype="float64")
