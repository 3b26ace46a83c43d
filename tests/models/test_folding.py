"""D without spectral normalization, and what the heads see, against D itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.keras_versions import variable_path
from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.models import PreActResNet18, ResNetDiscriminator

LABELS = tf.constant([4, 0, 2])


def images():
    return tf.random.stateless_uniform([3, 16, 16, 3], [3, 4], -1.0, 1.0)


def discriminator(normalization="spectral", **options):
    """A D whose weights, averages among them, are like no initial ones."""
    keras.utils.set_random_seed(2)
    model = ResNetDiscriminator(
        16, 3, 5, base_width=4, widths="1, 2", normalization=normalization, **options
    )
    model.build()
    for number, variable in enumerate(model.variables):
        if "vector_u" not in variable_path(variable):
            variable.assign_add(tf.random.stateless_uniform(variable.shape, [number, 1], 0.0, 0.1))
    for layer in spectral_normalization_layers(model):
        layer.advance()
    return model


@pytest.mark.parametrize(
    "options",
    [{}, {"use_bias": True}, {"head": "projection"}, {"head": "none"}, {"precision": "bfloat16"}],
)
def test_folded_kernels_are_those_of_inference_and_of_norm_1(options):
    normalized = discriminator(**options)
    folded = normalized.folded()
    for one, two in zip(normalized(images(), LABELS), folded(images(), LABELS), strict=True):
        if one is not None:
            np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    kernels = [v for v in folded.variables if variable_path(v).endswith("/kernel")]
    assert len(kernels) == len(spectral_normalization_layers(normalized))
    for kernel in kernels:
        matrix = np.reshape(kernel, [-1, kernel.shape[-1]])
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1.0, abs=0.01)
    assert not any("vector" in variable_path(v) for v in folded.variables)


def test_what_has_nothing_to_fold_is_copied():
    preact = PreActResNet18(16, 3, 5, base_width=4, normalization="batch")
    preact.build()
    for model in (discriminator("batch"), discriminator("none"), preact):
        copy = model.folded()
        for one, two in zip(model(images()), copy(images()), strict=True):
            np.testing.assert_array_equal(one, two)
        model.variables[0].assign_add(tf.ones_like(model.variables[0]))
        assert not np.array_equal(model(images())[0], copy(images())[0])


def test_features_are_what_the_heads_see():
    preact = PreActResNet18(16, 3, 5, base_width=4)
    preact.build()
    for model in (discriminator(), discriminator("batch", precision="bfloat16"), preact):
        features = model.features(images())
        source, classes = model(images())
        np.testing.assert_array_equal(model.class_head(features), classes)
        np.testing.assert_array_equal(model.source_head(features)[:, 0], source)


def test_features_in_training_are_of_batch_statistics():
    model, mode = discriminator("batch"), {"training": True, "update_statistics": False}
    features = model.features(images(), **mode)
    np.testing.assert_array_equal(model.class_head(features), model(images(), **mode)[1])
    assert np.abs(features - model.features(images())).max() > 0.01
