"""Fused convolutions against the two operations they fuse."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.layers import PooledConv2D, UpSampledConv2D


def pooled(images, kernel):
    return tf.nn.avg_pool2d(tf.nn.conv2d(images, kernel, 1, "SAME"), 2, 2, "VALID")


def up_sampled(images, kernel):
    large = np.kron(images, np.ones([1, 2, 2, 1]))
    return tf.nn.conv2d(large, kernel, 1, "SAME")


@pytest.mark.parametrize(
    ("layer_class", "reference"), [(PooledConv2D, pooled), (UpSampledConv2D, up_sampled)]
)
@pytest.mark.parametrize("size", [2, 6, 16])
def test_outputs_and_gradients_equal_the_two_operations(layer_class, reference, size):
    layer = layer_class(4, dtype="float64")
    images = tf.random.stateless_normal([2, size, size, 3], [size, 1], dtype=tf.float64)
    layer.build(images.shape)
    layer.bias.assign([1.0, -2.0, 0.5, 3.0])
    with tf.GradientTape() as tape:
        outputs = layer(images)
        loss = tf.reduce_sum(tf.sin(outputs))
    gradient = tape.gradient(loss, layer.trainable_variables[0])
    kernel = tf.constant(np.asarray(layer.kernel))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        expected = reference(images, kernel) + np.asarray(layer.bias)
        loss = tf.reduce_sum(tf.sin(expected))
    np.testing.assert_allclose(outputs, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gradient, tape.gradient(loss, kernel), rtol=1e-10, atol=1e-12)
    assert layer.compute_output_shape(images.shape) == outputs.shape


@pytest.mark.parametrize("layer_class", [PooledConv2D, UpSampledConv2D])
def test_configuration_round_trip(layer_class):
    copy = layer_class.from_config(layer_class(5, use_bias=False, name="copy").get_config())
    assert (copy.filters, copy.use_bias, copy.name) == (5, False, "copy")
