import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.keras_versions import IS_KERAS_2
from robgan_tf.layers import (
    PooledConv2D,
    SpectralNormalization,
    hold_normalized_kernels,
    overwriting_wrappers,
    spectral_normalization_layers,
    spectrally_normalized,
)
from robgan_tf.models import ResNetDiscriminator

WRAPPERS = ["keras_spectral", *(["tfa_spectral"] if IS_KERAS_2 else [])]
wrappers = pytest.mark.parametrize("normalization", WRAPPERS)


def dense(normalization, power_iterations=1):
    layer = spectrally_normalized(
        keras.layers.Dense(5, use_bias=False), normalization, power_iterations
    )
    layer.build((None, 7))
    kernel = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    layer.layer.kernel.assign(kernel)
    return layer, kernel


def discriminator(normalization):
    model = ResNetDiscriminator(
        resolution=8, base_width=4, widths="1-, 2", normalization=normalization, power_iterations=1
    )
    model.build()
    return model


def kernels(model):
    return [np.array(layer.layer.kernel) for layer in spectral_normalization_layers(model)]


@wrappers
def test_a_call_in_training_mode_is_the_wrapper_s(normalization):
    layer, kernel = dense(normalization)
    u = np.array(layer.vector_u)[0]
    inputs = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)
    np.testing.assert_allclose(layer(inputs), inputs @ kernel, rtol=1e-5)  # Inference: as stored.
    outputs = layer(inputs, training=True)
    v = kernel @ u / np.linalg.norm(kernel @ u)
    u = v @ kernel / np.linalg.norm(v @ kernel)
    sigma = v @ kernel @ u
    np.testing.assert_allclose(layer.layer.kernel, kernel / sigma, rtol=1e-5)
    np.testing.assert_allclose(np.array(layer.vector_u)[0], u, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(outputs, inputs @ kernel / sigma, rtol=1e-5, atol=1e-6)


@wrappers
def test_forward_is_ours_and_the_gradient_lacks_sigma(normalization):
    inputs = tf.constant(np.random.default_rng(1).normal(size=(3, 7)), tf.float32)
    found = {}
    for name in ("spectral", normalization):
        layer, kernel = dense(name, power_iterations=64)
        leading = np.linalg.svd(kernel)[2][0]
        layer.vector_u.assign(leading.reshape(layer.vector_u.shape))
        with tf.GradientTape() as tape, hold_normalized_kernels(layer, advance=True):
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(tf.sin(outputs))
        found[name] = np.array(outputs), np.array(tape.gradient(loss, layer.layer.kernel))
    np.testing.assert_allclose(found[normalization][0], found["spectral"][0], atol=1e-6)
    ours, theirs = found["spectral"][1], found[normalization][1]
    left, singular, right = np.linalg.svd(kernel)
    # The paper's, equation (12): (g - <g, kernel/sigma> u v^T) / sigma, orthogonal to the kernel.
    along = np.sum(theirs * kernel) / singular[0]
    expected = (theirs - along * np.outer(left[:, 0], right[0])) / singular[0]
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-5)
    assert abs(np.sum(ours * kernel)) < 1e-4 < abs(np.sum(theirs * kernel))


@wrappers
def test_only_a_d_update_moves_kernels_and_once(normalization):
    model = discriminator(normalization)
    for layer in spectral_normalization_layers(model):
        layer.layer.kernel.assign(3.0 * layer.layer.kernel)
    before = kernels(model)
    images = tf.random.stateless_uniform([2, 8, 8, 3], [0, 1], -1.0, 1.0)

    @tf.function(autograph=False)
    def update(advance):
        with tf.GradientTape() as tape, hold_normalized_kernels(model, advance=advance):
            with tape.stop_recording():
                model(images, training=False)
            losses = [tf.reduce_sum(model(images, training=True)[0]) for _ in range(2)]
        return tape.gradient(losses[1], model.trainable_variables)

    assert all(gradient is not None for gradient in update(False)[:-2])
    for one, other in zip(kernels(model), before, strict=True):
        np.testing.assert_array_equal(one, other)  # A G update, and an attack.
    update(True)
    for one, other in zip(kernels(model), before, strict=True):
        ratios = other / one
        np.testing.assert_allclose(ratios, ratios.flat[0], rtol=1e-4)
        assert 0.1 < ratios.flat[0] < 100.0 and abs(ratios.flat[0] - 1.0) > 1e-3
    # A second normalization finds sigma 1 where the power method has converged.
    layer = spectral_normalization_layers(model)[0]
    for _ in range(100):
        layer.advance()
    largest = np.linalg.svd(np.array(layer.normalized_kernel()).reshape(-1, 4))[1][0]
    assert largest == pytest.approx(1.0, rel=1e-3)
    assert float(layer.sigma()) == pytest.approx(largest, rel=1e-3)


@wrappers
def test_the_folded_copy_computes_the_same(normalization):
    model = discriminator(normalization)
    images = tf.random.stateless_uniform([2, 8, 8, 3], [0, 1], -1.0, 1.0)
    folded = model.folded()
    assert folded.normalization == "none"
    np.testing.assert_allclose(folded(images)[0], model(images)[0], rtol=1e-5, atol=1e-6)


@wrappers
def test_it_is_made_again_around_a_layer_of_this_package(normalization):
    layer = spectrally_normalized(PooledConv2D(3), normalization, 2)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert type(again.layer) is PooledConv2D


def test_without_addons_its_wrapper_is_refused_in_one_line(monkeypatch):
    # With this TensorFlow they may be there; asked anew, they are not.
    monkeypatch.setitem(sys.modules, "tensorflow_addons.layers", None)
    overwriting_wrappers._addons_wrapper.cache_clear()
    with pytest.raises(ValueError, match="ended in May 2024") as refused:
        discriminator("tfa_spectral")
    message = str(refused.value)
    assert "\n" not in message
    assert re.search(
        r"this is 2\.\d+.*requirements-tfa\.txt.*'keras_spectral'.*'spectral'", message
    )


def test_ours_is_the_default():
    layers = spectral_normalization_layers(discriminator("spectral"))
    assert layers and all(type(layer) is SpectralNormalization for layer in layers)
    assert ResNetDiscriminator().normalization == "spectral"
