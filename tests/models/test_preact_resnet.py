"""PreActResNet-18 against what is known of it and against its own recipe."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.layers import StridedConvolution2D
from robgan_tf.models import PreActResNet18
from tools.plain_form import plain_form


def build(**arguments):
    keras.utils.set_random_seed(0)
    model = PreActResNet18(**arguments)
    model.build()
    return model


def images(count=3):
    return tf.random.stateless_uniform([count, 32, 32, 3], [1, 2], -1.0, 1.0)


def test_the_published_width_has_the_published_parameters():
    # 11,171,146 of the well-known CIFAR form with batch normalization but none at its end, which
    # ours has for 512 channels, and the source head's 513.
    counts = [np.prod(v.shape) for v in build(normalization="batch").trainable_variables]
    assert sum(counts) == 11_171_146 + 2 * 512 + 513


def test_strided_convolution_is_that_of_keras():
    ours, theirs = StridedConvolution2D(5, 3, 2), keras.layers.Conv2D(5, 3, 2, padding="same")
    inputs = tf.random.stateless_normal([2, 8, 8, 3], [1, 2])
    expected = theirs(inputs)
    ours.build(inputs.shape)
    ours.kernel.assign(theirs.kernel)
    np.testing.assert_allclose(ours(inputs), expected, rtol=1e-5, atol=1e-5)


def test_even_padding_is_that_of_a_padded_image():
    layer = StridedConvolution2D(5, 3, 2, even_padding=True)
    inputs = tf.random.stateless_normal([2, 8, 8, 3], [1, 2])
    outputs = layer(inputs)
    assert outputs.shape == (2, 4, 4, 5)
    padded = np.pad(inputs, [(0, 0), (1, 1), (1, 1), (0, 0)])
    patch = padded[1, 2:5, 4:7]
    expected = np.einsum("hwc,hwcf->f", patch, layer.kernel)
    np.testing.assert_allclose(outputs[1, 1, 2], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="cannot be padded evenly"):
        StridedConvolution2D(5, 2, 2, even_padding=True)


def test_the_published_form_starts_as_theirs():
    model = build(base_width=16, form="official_code")
    kernel = np.asarray(model.block_4_2.convolution_1.kernel)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)
    assert np.abs(kernel).max() > 3 * kernel.std()  # normal
    uniform = {
        1 / np.sqrt(27): model.stem.kernel,
        1 / np.sqrt(64): model.block_4_1.shortcut.kernel,
        1 / np.sqrt(128): model.class_head.kernel,
    }
    for bound, values in uniform.items():
        assert (
            np.abs(values).max() == pytest.approx(bound, rel=0.02) and np.abs(values).max() < bound
        )
    assert 0 < np.abs(model.class_head.bias).max() < 1 / np.sqrt(128)
    own = build(base_width=16)
    assert not np.any(own.class_head.bias)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_outputs_are_those_of_d_and_finite(normalization):
    model = build(base_width=4, normalization=normalization)
    source, logits = model(images())
    assert source.shape == (3,) and logits.shape == (3, 10)
    assert np.isfinite(source).all() and np.isfinite(logits).all()


def test_a_sample_depends_on_its_own_image_only_in_inference():
    model = build(base_width=4, normalization="batch")
    together = model(images())[1]
    alone = model(images()[1:2])[1]
    np.testing.assert_allclose(together[1:2], alone, rtol=1e-4, atol=1e-5)
    assert np.abs(model(images(), training=True)[1][1:2] - alone).max() > 1e-3


def test_rewritten_and_plain_form_are_equal():
    one, two = build(base_width=4), plain_form(build(base_width=4))
    for target, source in zip(two.variables, one.variables, strict=True):
        target.assign(source)
    np.testing.assert_allclose(one(images())[1], two(images())[1], rtol=1e-4, atol=1e-5)


def test_the_first_block_by_hand():
    model = build(base_width=4)
    block = model.block_2_1
    inputs = tf.random.stateless_normal([2, 8, 8, 4], [3, 4])
    hidden = tf.nn.leaky_relu(inputs, 0.2)

    def convolve(x, layer, strides):
        return tf.nn.conv2d(x, layer.kernel, strides, "SAME")

    inner = convolve(hidden, block.convolution_1, 2)
    expected = convolve(tf.nn.leaky_relu(inner, 0.2), block.convolution_2, 1)
    expected += convolve(hidden, block.shortcut, 2)
    np.testing.assert_allclose(block(inputs), expected, rtol=1e-5, atol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match="20 pixels do not allow"):
        PreActResNet18(resolution=20)
    with pytest.raises(ValueError, match="'spectral' does not exist; choose one of none, batch"):
        PreActResNet18(normalization="spectral")
    with pytest.raises(ValueError, match="form 'sngan' does not exist; choose one of own, off"):
        PreActResNet18(form="sngan")
