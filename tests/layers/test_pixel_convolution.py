"""Convolutions from and to pixels against the plain convolution and its gradients."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.layers import PixelConvolution2D
from robgan_tf.layers.pixel_convolution import convolve_from_pixels, convolve_to_pixels

SIDES = {"from pixels": (3, 64), "from grey": (1, 64), "to pixels": (64, 3), "neither": (70, 80)}


def draw(shape, seed, kind="float64"):
    return tf.random.stateless_normal(shape, [seed, 1], dtype=kind)


def value_and_gradients(convolution, inputs, kernel):
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = convolution(inputs, kernel)
        loss = tf.reduce_sum(tf.sin(outputs))
    return [outputs, *tape.gradient(loss, [inputs, kernel])]


def plain(inputs, kernel):
    return tf.nn.conv2d(inputs, kernel, 1, "SAME")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("kind", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_values_and_gradients_are_those_of_the_plain_convolution(side, kind, tolerance):
    channels, filters = SIDES[side]
    layer = PixelConvolution2D(filters)
    inputs, kernel = draw([2, 7, 5, channels], 1, kind), draw([3, 3, channels, filters], 2, kind)
    results = (
        value_and_gradients(convolution, inputs, kernel) for convolution in (layer.convolve, plain)
    )
    for one, other in zip(*results, strict=True):
        assert np.linalg.norm(one - other) < tolerance * np.linalg.norm(other)


@pytest.mark.parametrize(
    ("convolution", "channels", "filters"),
    [(convolve_from_pixels, 3, 4), (convolve_to_pixels, 4, 3)],
)
def test_second_derivatives(convolution, channels, filters):
    """A penalty on gradients differentiates them once more."""
    inputs, kernel = draw([1, 4, 4, channels], 1), draw([3, 3, channels, filters], 2)

    def of_squared_gradients(convolution):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            _, *gradients = value_and_gradients(convolution, inputs, kernel)
            penalty = tf.add_n([tf.reduce_sum(tf.square(values)) for values in gradients])
        return tape.gradient(penalty, [inputs, kernel])

    pairs = zip(of_squared_gradients(convolution), of_squared_gradients(plain), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_narrow_layers_are_left_plain():
    inputs, kernel = draw([1, 4, 4, 3], 1), draw([3, 3, 3, 8], 2)
    graph = tf.function(PixelConvolution2D(8).convolve).get_concrete_function(inputs, kernel).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("Conv2D") == 1
    assert "IdentityN" not in kinds


def test_a_saved_model_can_be_attacked(tmp_path):
    layer = PixelConvolution2D(64)
    layer.build((None, 8, 8, 3))
    module = tf.Module()
    module.layer_variables = layer.variables
    specification = tf.TensorSpec([None, 8, 8, 3], tf.float32)
    module.call = tf.function(layer, input_signature=[specification])
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(module, str(tmp_path), options=options)
    inputs = draw([2, 8, 8, 3], 1, "float32")
    gradients = []
    loaded = tf.saved_model.load(str(tmp_path))
    for function in (layer, loaded.call):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.sin(function(inputs)))
        gradients.append(tape.gradient(loss, inputs))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)


def test_configuration_round_trip():
    copy = PixelConvolution2D.from_config(
        PixelConvolution2D(5, use_bias=False, name="copy").get_config()
    )
    assert (copy.filters, copy.kernel_size, copy.use_bias) == (5, (3, 3), False)
