"""Spectral normalization against singular values from numpy and finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.layers import (
    PooledConv2D,
    SpectralNormalization,
    UpSampledConv2D,
    hold_normalized_kernels,
    spectral_normalization_layers,
)


def singular_values(kernel):
    kernel = np.asarray(kernel, np.float64)
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)


LAYERS = [
    (lambda: keras.layers.Dense(7), (5, 6)),
    (lambda: keras.layers.Dense(7, activation="relu"), (2, 3, 6)),
    (lambda: keras.layers.Conv2D(7, 3, strides=2, padding="same"), (2, 6, 6, 4)),
    (lambda: keras.layers.Conv2DTranspose(7, 4, strides=2, padding="same"), (2, 6, 6, 4)),
    (lambda: PooledConv2D(7), (2, 6, 6, 4)),
    (lambda: UpSampledConv2D(7), (2, 6, 6, 4)),
]


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_equals_the_plain_layer_with_a_kernel_divided_by_its_largest_singular_value(make, shape):
    inputs = tf.random.stateless_normal(shape, [1, 2])
    wrapped = SpectralNormalization(make())
    outputs = wrapped(inputs)
    plain = make()
    plain.build(shape)
    plain.kernel.assign(wrapped.layer.kernel / singular_values(wrapped.layer.kernel)[0])
    np.testing.assert_allclose(outputs, plain(inputs), rtol=1e-4, atol=1e-5)


def test_embedding_rows_come_from_the_normalized_table():
    wrapped = SpectralNormalization(keras.layers.Embedding(9, 4))
    rows = wrapped(tf.constant([[1, 8], [0, 1]]))
    table = np.asarray(wrapped.layer.embeddings)
    expected = (table / singular_values(table)[0])[[[1, 8], [0, 1]]]
    np.testing.assert_allclose(rows, expected, rtol=1e-5)


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_sigma_starts_converged(make, shape):
    wrapped = SpectralNormalization(make())
    wrapped.build(shape)
    assert float(wrapped.sigma()) == pytest.approx(singular_values(wrapped.layer.kernel)[0], 1e-5)


def test_gradient_matches_finite_differences_and_is_orthogonal_to_the_kernel():
    inputs = tf.random.stateless_normal([4, 5, 5, 2], [3, 4], dtype=tf.float64)
    target = tf.random.stateless_normal([4, 5, 5, 3], [5, 6], dtype=tf.float64)
    wrapped = SpectralNormalization(
        keras.layers.Conv2D(3, 3, padding="same", dtype="float64"), dtype="float64"
    )
    wrapped.build(inputs.shape)
    kernel = wrapped.layer.kernel

    def loss():
        return tf.reduce_sum(tf.square(wrapped(inputs, training=False) - target))

    with tf.GradientTape() as tape:
        value = loss()
    gradient = np.asarray(tape.gradient(value, wrapped.trainable_variables)[0])

    start, step = np.asarray(kernel), 1e-6
    differences = np.zeros_like(start)
    for position in np.ndindex(*start.shape):
        for sign in (1, -1):
            moved = start.copy()
            moved[position] += sign * step
            kernel.assign(moved)
            differences[position] += sign * float(loss()) / (2 * step)
    kernel.assign(start)
    # u and v are constants in the gradient and, at the leading singular vectors, sigma is
    # stationary in them, so the difference quotients agree to second order.
    np.testing.assert_allclose(gradient, differences, rtol=1e-4, atol=1e-4)
    cosine = np.sum(gradient * start) / (np.linalg.norm(gradient) * np.linalg.norm(start))
    assert abs(cosine) < 1e-7


def test_only_training_calls_advance_u_and_nothing_changes_the_kernel():
    wrapped = SpectralNormalization(keras.layers.Dense(6))
    inputs = tf.random.stateless_normal([3, 8], [7, 8])
    wrapped(inputs)
    wrapped.layer.kernel.assign(tf.random.stateless_normal([8, 6], [9, 10]))
    kernel, u = np.array(wrapped.layer.kernel), np.array(wrapped.vector_u)
    wrapped(inputs, training=False)
    np.testing.assert_array_equal(wrapped.vector_u, u)
    wrapped(inputs, training=True)
    assert not np.array_equal(wrapped.vector_u, u)
    np.testing.assert_array_equal(wrapped.layer.kernel, kernel)
    for _ in range(200):
        wrapped(inputs, training=True)
    assert float(wrapped.sigma()) == pytest.approx(singular_values(kernel)[0], rel=1e-4)


def test_more_power_iterations_advance_further():
    one = SpectralNormalization(keras.layers.Dense(6), power_iterations=1)
    three = SpectralNormalization(keras.layers.Dense(6), power_iterations=3)
    start = tf.random.stateless_normal([6], [1, 1])
    for layer in (one, three):
        layer.build([None, 8])
        layer.layer.kernel.assign(tf.random.stateless_normal([8, 6], [9, 10]))
        layer.vector_u.assign(start / tf.norm(start))
    for _ in range(3):
        one.advance()
    three.advance()
    np.testing.assert_allclose(one.vector_u, three.vector_u, rtol=1e-5)


def test_held_kernels_advance_once_and_are_shared_by_all_calls():
    model = keras.Sequential(
        [SpectralNormalization(keras.layers.Dense(6)), SpectralNormalization(keras.layers.Dense(5))]
    )
    inputs = tf.random.stateless_normal([3, 8], [7, 8])
    model(inputs)
    reference = keras.models.clone_model(model)
    reference(inputs)
    for layer, copy in zip(model.layers, reference.layers, strict=True):
        layer.layer.kernel.assign(tf.random.stateless_normal(layer.layer.kernel.shape, [11, 12]))
        copy.set_weights(layer.get_weights())
        copy.advance()
    with hold_normalized_kernels(model, advance=True) as layers:
        assert layers == spectral_normalization_layers(model)
        held = [model(inputs, training=training).numpy() for training in (True, True, False)]
        vectors = [np.array(layer.vector_u) for layer in layers]
    np.testing.assert_array_equal(held[0], held[1])
    np.testing.assert_array_equal(held[0], held[2])
    np.testing.assert_array_equal(held[0], reference(inputs, training=False))
    for vector, copy in zip(vectors, reference.layers, strict=True):
        np.testing.assert_array_equal(vector, copy.vector_u)
    model(inputs, training=True)
    assert not np.array_equal(vectors[0], model.layers[0].vector_u)


def test_kernels_are_released_when_the_block_fails():
    layer = SpectralNormalization(keras.layers.Dense(6))
    inputs = tf.ones([1, 8])
    before = layer(inputs)
    with pytest.raises(RuntimeError), hold_normalized_kernels(layer):
        raise RuntimeError
    layer.layer.kernel.assign(-layer.layer.kernel)
    np.testing.assert_allclose(layer(inputs), -before, rtol=1e-5)


def test_survives_saving_and_a_functional_model(tmp_path):
    image = keras.Input([6, 6, 2])
    hidden = SpectralNormalization(keras.layers.Conv2D(4, 3), power_iterations=3)(image)
    model = keras.Model(image, hidden)
    inputs = tf.random.stateless_normal([2, 6, 6, 2], [1, 3])
    expected = model(inputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(inputs), expected, rtol=1e-6)
    assert loaded.layers[-1].power_iterations == 3


def test_a_kernel_of_zeros_stays_zero():
    layer = SpectralNormalization(keras.layers.Dense(6, kernel_initializer="zeros"))
    np.testing.assert_array_equal(layer(tf.ones([2, 3]), training=True), np.zeros([2, 6]))


def test_refuses_what_it_cannot_normalize():
    with pytest.raises(ValueError, match="power_iterations must be at least 1"):
        SpectralNormalization(keras.layers.Dense(3), power_iterations=0)
    for layer in (keras.layers.LayerNormalization(), keras.layers.SeparableConv2D(3, 3)):
        with pytest.raises(ValueError, match=f"{type(layer).__name__} has neither"):
            SpectralNormalization(layer)(tf.ones([1, 4, 4, 3]))
