"""The networks in the form they are computed in against the recipe as it is written."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.losses import class_loss
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
CASES = [*itertools.product((32, 64, 128), TOLERANCES)]
LABELS = tf.constant([0, 3, 1, 4])


@pytest.fixture
def floatx():
    before = keras.config.floatx()

    def use(kind):
        keras.config.set_floatx(kind)
        keras.config.set_dtype_policy(kind)

    yield use
    use(before)


def both_forms(model_class, resolution, **options):
    models = [
        model_class(resolution, 3, 5, base_width=4, fused_resampling=fused, **options)
        for fused in (False, True)
    ]
    for model in models:
        model.build()
    generator = np.random.default_rng(0)
    for plain in models[0].trainable_variables:
        plain.assign(plain + 0.02 * generator.standard_normal(plain.shape))
    for plain, fused in zip(*(model.variables for model in models), strict=True):
        fused.assign(plain)
    return models


def assert_equal_in_norm(plain, fused, tolerance):
    for one, other in zip(plain, fused, strict=True):
        assert np.linalg.norm(one - other) <= tolerance * np.linalg.norm(one)


@pytest.mark.parametrize(("resolution", "kind"), CASES)
def test_images_and_gradients_of_the_generator(resolution, kind, floatx):
    floatx(kind)
    latents = tf.random.stateless_normal([4, 128], [1, 2], dtype=kind)
    weights = tf.random.stateless_normal([4, resolution, resolution, 3], [3, 4], dtype=kind)
    results = []
    for model in both_forms(ResNetGenerator, resolution):
        with tf.GradientTape() as tape:
            tape.watch(latents)
            images = model(latents, LABELS, training=True)
            loss = tf.reduce_sum(images * weights)
        variables = [variable for variable in model.trainable_variables if _matters(variable)]
        results.append([images, *tape.gradient(loss, [latents, *variables])])
    assert_equal_in_norm(*results, TOLERANCES[kind])


@pytest.mark.parametrize("normalization", ["spectral", "batch"])
@pytest.mark.parametrize(("resolution", "kind"), CASES)
def test_logits_and_gradients_of_the_discriminator(resolution, kind, normalization, floatx):
    floatx(kind)
    images = tf.random.stateless_uniform(
        [4, resolution, resolution, 3], [5, 6], -1.0, 1.0, dtype=kind
    )
    results = []
    for model in both_forms(
        ResNetDiscriminator, resolution, normalization=normalization, use_bias=True
    ):
        with tf.GradientTape() as tape:
            tape.watch(images)
            source, classes = model(images, training=True)
            loss = tf.reduce_sum(tf.nn.softplus(source)) + tf.reduce_sum(
                class_loss(classes, LABELS)
            )
        variables = [v for v in model.trainable_variables if _matters(v, normalization)]
        results.append([source, classes, *tape.gradient(loss, [images, *variables])])
    assert_equal_in_norm(*results, TOLERANCES[kind])


@pytest.mark.parametrize(("resolution", "kind"), CASES)
def test_attacked_pixels(resolution, kind, floatx):
    floatx(kind)
    images = tf.random.stateless_uniform(
        [4, resolution, resolution, 3], [7, 8], -1.0, 1.0, dtype=kind
    )
    attack = ProjectedGradientDescent(0.03, 5, 0.0125, random_start=True)
    attacked = [
        attack(lambda x, model=model: class_loss(model(x)[1], LABELS), images, seed=[1, 2])
        for model in both_forms(ResNetDiscriminator, resolution)
    ]
    assert np.abs(attacked[0] - images).max() > 0.029
    same = np.abs(np.asarray(attacked[0]) - np.asarray(attacked[1])) < 1e-6
    assert same.mean() >= 0.999


def _matters(variable, normalization="batch"):
    """Whether the gradient is more than rounding: a bias before batch normalization has none."""
    names = ("block", "bias") if normalization == "batch" else ("nothing",)
    return not all(name in variable.path for name in names)
