"""The networks in the form they are computed in against the recipe as it is written."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.keras_versions import variable_path
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator
from tools.plain_form import plain_form

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
# What depends on the resolution shows best in float64; the type of training is beside it once.
CASES = [(32, "float32"), (32, "float64"), (64, "float64"), (128, "float64")]
LABELS = tf.constant([0, 3, 1, 4])
RELU = tf.nn.relu


@pytest.fixture
def floatx():
    before = keras.backend.floatx()

    def use(kind):
        keras.backend.set_floatx(kind)
        keras.mixed_precision.set_global_policy(kind)

    yield use
    use(before)


def both_forms(model_class, resolution, **options):
    # The same weights each time: whether enough draws are clear of every zero depends on them.
    keras.utils.set_random_seed(0)
    models = [model_class(resolution, 3, 5, base_width=4, **options) for _ in range(2)]
    for model in models:
        model.build()
    plain_form(models[0])
    generator = np.random.default_rng(0)
    for plain in models[0].trainable_variables:
        plain.assign(plain + 0.02 * generator.standard_normal(plain.shape))
    for plain, rewritten in zip(*(model.variables for model in models), strict=True):
        rewritten.assign(plain)
    return models


def smooth_images(resolution, seed, kind):
    """Like photographs, not noise, whose pixels cancel in every gradient that sums over them."""
    small = tf.random.stateless_uniform([4, 8, 8, 3], seed, -1.0, 1.0)
    return tf.cast(tf.image.resize(small, [resolution, resolution]), kind)


def assert_equal_on_one_side_of_every_relu(models, compute, kind, monkeypatch):
    """Compares what both models compute, in draws where no rounding carries a unit across zero.

    A unit within rounding of zero may be on in one form and off in the other; its gradients then
    differ by all they are, which says nothing of the forms. The median of three such draws is
    taken in float32, where the cancellation in one gradient may alone reach the tolerance.
    """
    wanted = {"float32": 3, "float64": 1}[kind]
    errors = []
    for draw in range(40):
        results, signs = zip(
            *(_with_signs(model, compute, draw, monkeypatch) for model in models), strict=True
        )
        if all(np.array_equal(one, other) for one, other in zip(*signs, strict=True)):
            errors.append(_largest_relative_error(*results))
        if len(errors) == wanted:
            break
    assert len(errors) == wanted
    assert np.median(errors) <= TOLERANCES[kind]


def _with_signs(model, compute, draw, monkeypatch):
    signs = []

    def relu(values):
        signs.append(np.asarray(values) > 0)
        return RELU(values)

    with monkeypatch.context() as patch:
        patch.setattr(tf.nn, "relu", relu)
        results = compute(model, draw)
    assert len(signs) > 4
    return results, signs


def _largest_relative_error(plain, rewritten):
    # Where a gradient is 0, the other has to be 0 too.
    return max(
        np.linalg.norm(one - other) / max(np.linalg.norm(one), np.finfo(np.float32).tiny)
        for one, other in zip(plain, rewritten, strict=True)
    )


@pytest.mark.parametrize(("resolution", "kind"), CASES)
def test_images_and_gradients_of_the_generator(resolution, kind, floatx, monkeypatch):
    floatx(kind)

    def compute(model, draw):
        latents = tf.random.stateless_normal([4, 128], [draw, 2], dtype=kind)
        weights = tf.random.stateless_normal([4, resolution, resolution, 3], [3, 4], dtype=kind)
        with tf.GradientTape() as tape:
            tape.watch(latents)
            images = model(latents, LABELS, training=True)
            loss = tf.reduce_sum(images * weights)
        variables = [variable for variable in model.trainable_variables if _matters(variable)]
        return [images, *tape.gradient(loss, [latents, *variables])]

    models = both_forms(ResNetGenerator, resolution)
    assert_equal_on_one_side_of_every_relu(models, compute, kind, monkeypatch)


@pytest.mark.parametrize("normalization", ["spectral", "batch"])
@pytest.mark.parametrize(("resolution", "kind"), CASES)
def test_logits_and_gradients_of_the_discriminator(
    resolution, kind, normalization, floatx, monkeypatch
):
    floatx(kind)

    def compute(model, draw):
        images = smooth_images(resolution, [draw, 6], kind)
        with tf.GradientTape() as tape:
            tape.watch(images)
            source, classes = model(images, training=True)
            loss = tf.reduce_sum(tf.nn.softplus(source)) + tf.reduce_sum(
                class_loss(classes, LABELS)
            )
        variables = [v for v in model.trainable_variables if _matters(v, normalization)]
        return [source, classes, *tape.gradient(loss, [images, *variables])]

    models = both_forms(ResNetDiscriminator, resolution, normalization=normalization, use_bias=True)
    assert_equal_on_one_side_of_every_relu(models, compute, kind, monkeypatch)


@pytest.mark.parametrize(("resolution", "kind"), [(32, "float32"), (128, "float64")])
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
    return not all(name in variable_path(variable) for name in names)
