"""Networks in bfloat16: what stays float32, and that they judge as in float32."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.keras_versions import variable_path
from robgan_tf.layers import Convolution2D, SpectralNormalization, spectral_normalization_layers
from robgan_tf.layers.batch_normalization import ClassConditionalBatchNormalization
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator

LABELS = tf.range(16) % 5


def same_in_both(model_class, **options):
    """Two models with the same weights, in float32 and in bfloat16."""
    models = [
        model_class(32, 3, 5, base_width=8, precision=precision, **options)
        for precision in ("float32", "bfloat16")
    ]
    for model in models:
        model.build()
    for source, target in zip(models[0].variables, models[1].variables, strict=True):
        target.assign(source)
    return models


@pytest.fixture(scope="module")
def generators():
    return same_in_both(ResNetGenerator)


@pytest.fixture(scope="module")
def discriminators():
    return same_in_both(ResNetDiscriminator)


@pytest.fixture
def images():
    return tf.random.stateless_uniform([16, 32, 32, 3], [3, 4], -1.0, 1.0)


def latents():
    return tf.random.stateless_normal([16, 128], [1, 2])


def relative_distance(one, other):
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return np.linalg.norm(one - other) / np.linalg.norm(other)


def test_variables_images_and_logits_are_float32(generators, discriminators):
    for model in (generators[1], discriminators[1]):
        assert {tf.as_dtype(variable.dtype) for variable in model.variables} == {tf.float32}
    fakes = generators[1](latents(), LABELS, training=True)
    outputs = [fakes, *discriminators[1](fakes)]
    assert {values.dtype for values in outputs} == {tf.float32}


def test_close_to_float32_and_not_the_same(generators, discriminators, images):
    pairs = [
        [model(latents(), LABELS, training=True) for model in generators],
        *zip(*(model(images) for model in discriminators), strict=True),
    ]
    for full, half in pairs:
        assert 1e-6 < relative_distance(half, full) < 0.02


def test_convolutions_between_pixels_and_heads_are_bfloat16(discriminators, generators):
    def precisions(model):
        return {
            "/".join(variable_path(layer.kernel).split("/")[1:-1][:2]): layer.precision
            for layer in model._flatten_layers()
            if isinstance(layer, Convolution2D)
        }

    in_float32 = {name for name, kind in precisions(discriminators[1]).items() if kind == "float32"}
    assert in_float32 == {"block_1/convolution_1", "block_1/shortcut"}
    in_float32 = {name for name, kind in precisions(generators[1]).items() if kind == "float32"}
    assert in_float32 == {"to_image"}


def test_spectral_norm_is_that_of_the_float32_kernel(discriminators):
    for full, half in zip(*map(spectral_normalization_layers, discriminators), strict=True):
        np.testing.assert_array_equal(full.sigma(), half.sigma())
        np.testing.assert_array_equal(full.normalized_kernel(), half.normalized_kernel())
        assert half.sigma().dtype == tf.float32


def test_spectral_normalization_casts_only_the_kernel_in_use():
    model = ResNetDiscriminator(32, base_width=4, precision="bfloat16")
    model.build()
    layer = model.block_2.convolution_1
    assert isinstance(layer, SpectralNormalization)
    assert layer.prepared_kernel().kernel.dtype == tf.bfloat16
    assert layer.normalized_kernel().dtype == tf.float32


def test_batch_statistics_are_computed_in_float32():
    layer = ClassConditionalBatchNormalization(3, momentum=0.0)
    layer.build((None, 4, 4, 2))
    # In bfloat16 a sum of 4096 ones stops at 256, and 100.5 is not a number.
    values = tf.cast(100.0 + tf.random.stateless_normal([256, 4, 4, 2], [1, 2]), tf.bfloat16)
    outputs = layer(values, tf.zeros([256], tf.int32), training=True)
    assert outputs.dtype == tf.bfloat16
    exact = np.asarray(values, np.float64)
    np.testing.assert_allclose(layer.moving_mean, exact.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, exact.var((0, 1, 2)), rtol=1e-4)


def test_gradients_reach_every_variable_in_float32(discriminators, images):
    gradients = []
    for model in discriminators:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(class_loss(model(images)[1], LABELS))
        gradients.append(tape.gradient(loss, model.trainable_variables[:-4]))
    for full, half in zip(*gradients, strict=True):
        assert half.dtype == tf.float32
        assert relative_distance(half, full) < 0.05


def test_the_attack_is_as_good_as_in_float32(discriminators, images):
    full, half = discriminators
    attack = ProjectedGradientDescent(0.03, 5, 0.012)

    def loss_of(model):
        return lambda x: class_loss(model(x)[1], LABELS)

    with tf.GradientTape() as tape:
        tape.watch(images)
        losses = loss_of(half)(images)
    gradient = tape.gradient(losses, images)
    assert gradient.dtype == tf.float32
    assert np.mean(np.asarray(gradient) == 0.0) < 1e-3
    attacked = [attack(loss_of(model), images) for model in discriminators]
    assert attacked[1].dtype == tf.float32
    # Both judged by the float32 network.
    clean, by_full, by_half = (float(tf.reduce_mean(loss_of(full)(x))) for x in (images, *attacked))
    assert by_half - clean > 0.98 * (by_full - clean)
