"""Convolution in bfloat16: its arithmetic, the same with and without instructions for it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.layers import (
    Convolution2D,
    PooledConv2D,
    SpectralNormalization,
    StridedConvolution2D,
    UpSampledConv2D,
    convolution,
)

MACHINES = {"with instructions": True, "without": False}


def rounded(values):
    """To bfloat16 and back to float64."""
    return np.asarray(tf.cast(tf.cast(values, tf.bfloat16), tf.float32), np.float64)


def built(layer_class, *arguments, **options):
    # By chance, sums of products cancel and rounding is more of them than usual.
    keras.utils.set_random_seed(0)
    layer = layer_class(*arguments, precision="bfloat16", **options)
    layer.build((None, 6, 6, 3))
    return layer


def images():
    return tf.random.stateless_normal([2, 6, 6, 3], [1, 2])


@pytest.mark.parametrize("machine", MACHINES)
def test_operands_and_result_are_rounded_and_sums_are_not(machine, monkeypatch):
    monkeypatch.setattr(convolution, "_has_bfloat16_instructions", lambda: MACHINES[machine])
    layer = built(Convolution2D, 4, 3, use_bias=False)
    outputs = layer(images())
    exact = tf.nn.conv2d(rounded(images()), rounded(layer.kernel), 1, "SAME")
    assert outputs.dtype == tf.bfloat16
    # A sum that lies between two bfloat16 numbers may fall to either side in float32.
    np.testing.assert_allclose(np.asarray(outputs, np.float64), exact, rtol=2**-8, atol=1e-6)
    assert np.mean(np.asarray(outputs, np.float64) == rounded(exact)) > 0.98


def test_machines_agree_within_rounding_in_a_graph_that_adds_bias_and_activation(monkeypatch):
    """Where one machine rounds once, after the bias, another rounds twice."""
    layer = built(Convolution2D, 64, 3, activation="relu")
    layer.bias.assign(tf.random.stateless_normal([64], [3, 4]))
    outputs = []
    for has_instructions in (True, False):
        monkeypatch.setattr(
            convolution, "_has_bfloat16_instructions", lambda answer=has_instructions: answer
        )
        outputs.append(np.asarray(tf.function(layer.call)(images()), np.float64))
    one, other = outputs
    # Half a unit in the last place of bfloat16 for each rounding, of the sum before the bias too.
    size = np.abs(other) + np.abs(np.asarray(layer.bias))
    assert (np.abs(one - other) <= 2.0**-7 * size + 1e-6).all()
    assert np.abs(one).max() > 1.0


@pytest.mark.parametrize("layer_class", [PooledConv2D, UpSampledConv2D])
def test_gradients_are_those_of_a_machine_with_instructions(layer_class, monkeypatch):
    layer = built(layer_class, 4)
    gradients = {}
    for machine, has_instructions in MACHINES.items():
        monkeypatch.setattr(
            convolution, "_has_bfloat16_instructions", lambda answer=has_instructions: answer
        )
        inputs = images()
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.sin(tf.cast(layer(inputs), tf.float32)))
        sources = [inputs, *layer.trainable_variables]
        gradients[machine] = tape.gradient(loss, sources)
    for one, other in zip(*gradients.values(), strict=True):
        assert one.dtype == tf.float32
        assert np.linalg.norm(one - other) < 0.01 * np.linalg.norm(one)


def test_variables_are_float32_in_bfloat16_and_the_bias_is_added():
    layer = built(Convolution2D, 2, 1)
    layer.bias.assign([1.0, -2.0])
    layer.kernel.assign(tf.zeros_like(layer.kernel))
    assert {tf.as_dtype(variable.dtype) for variable in layer.variables} == {tf.float32}
    np.testing.assert_array_equal(np.asarray(layer(images()), np.float32)[0, 0, 0], [1.0, -2.0])


def test_float32_is_keras_own_convolution():
    layer = Convolution2D(4, 3)
    layer.build((None, 6, 6, 3))
    expected = tf.nn.conv2d(images(), tf.convert_to_tensor(layer.kernel), 1, "SAME")
    np.testing.assert_array_equal(layer(images()), expected)


def test_unknown_precision():
    with pytest.raises(ValueError, match=r"'float16' does not exist; choose one of float32, bf"):
        Convolution2D(4, 3, precision="float16")


def test_arguments_that_the_layer_would_ignore_are_refused():
    with pytest.raises(ValueError, match="Convolution2D does not take dilation_rate, strides"):
        Convolution2D(4, 3, strides=2, dilation_rate=2)


def test_configuration_round_trip():
    layer = Convolution2D(4, 1, precision="bfloat16", use_bias=False, name="copied")
    copy = Convolution2D.from_config(layer.get_config())
    assert (copy.filters, copy.kernel_size, copy.precision) == (4, (1, 1), "bfloat16")
    assert (copy.use_bias, copy.name) == (False, "copied")


@pytest.mark.parametrize(
    "layer",
    [
        Convolution2D(5, 3),
        StridedConvolution2D(5, 3, stride=2),
        PooledConv2D(5),
        UpSampledConv2D(5),
        SpectralNormalization(StridedConvolution2D(5, 3, stride=2)),
    ],
)
def test_a_functional_model_knows_the_shape_of_the_outputs(layer):
    images = tf.ones([2, 8, 6, 4])
    for sides in ([8, 6], [None, None]):
        model = keras.Sequential(
            [keras.Input([*sides, 4]), type(layer).from_config(layer.get_config())]
        )
        found = tuple(model(images).shape)
        known = [own if side else None for own, side in zip(found[1:3], sides, strict=True)]
        assert model.output_shape == (None, *known, 5)


@pytest.mark.parametrize("side", [8, 7])
def test_a_1x1_convolution_with_strides_and_its_gradients(side):
    layer = StridedConvolution2D(5, 1, stride=2, use_bias=False)
    images = tf.random.stateless_normal([2, side, side, 3], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images)
        loss = tf.reduce_sum(tf.square(outputs))
    of_images, of_kernel = map(np.asarray, tape.gradient(loss, [images, layer.kernel]))
    seen, matrix = np.asarray(images)[:, ::2, ::2], np.asarray(layer.kernel)[0, 0]
    np.testing.assert_allclose(outputs, seen @ matrix, rtol=1e-5, atol=1e-6)
    upstream = 2.0 * np.asarray(outputs)
    np.testing.assert_allclose(of_images[:, ::2, ::2], upstream @ matrix.T, rtol=1e-4, atol=1e-5)
    assert not of_images[:, 1::2].any() and not of_images[:, :, 1::2].any()
    expected = np.einsum("nhwi,nhwo->io", seen, upstream)
    np.testing.assert_allclose(of_kernel[0, 0], expected, rtol=1e-4, atol=1e-4)
    # What runs of earlier versions computed.
    before = tf.nn.conv2d(images, layer.kernel, 2, "SAME")
    np.testing.assert_array_equal(outputs, before)
