"""Eight defences that hide and three honest models: which sign of the masking report catches which.

All are branches of one function, so that attacks are compiled once for all of them.
"""

import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.robustness import masking
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.masking import Reported, masking_report
from robgan_tf.robustness.subjects import Classifier

RANDOM = np.random.default_rng(0)
COUNT, SIDE, CLASSES, EPSILON = 60, 8, 4, 0.05
# On the grid of 8-bit pixels, as a detector expects.
IMAGES = (RANDOM.integers(50, 205, [COUNT, SIDE, SIDE, 1]) / 127.5 - 1.0).astype(np.float32)
WEIGHTS = (0.3 * RANDOM.normal(size=[SIDE**2, CLASSES])).astype(np.float32)
HIDDEN = (0.2 * RANDOM.normal(size=[SIDE**2, 12])).astype(np.float32)
KERNEL = (0.5 * RANDOM.normal(size=[3, 3, 1, 4])).astype(np.float32)


def flat(images):
    return tf.reshape(images, [-1, SIDE**2])


def linear(images):
    return flat(images) @ WEIGHTS


def curved(images):
    return tf.tanh(2.0 * flat(images) @ HIDDEN) @ WEIGHTS[:12]


def convolutional(images):
    features = tf.nn.relu(tf.nn.conv2d(images, KERNEL, 1, "SAME"))
    pooled = tf.nn.avg_pool2d(features, 2, 2, "VALID")
    return tf.reshape(pooled, [-1, SIDE**2]) @ WEIGHTS


def scaled(images):
    return 1000.0 * linear(images)


def quantized(images):
    return linear(tf.round(images * 8.0) / 8.0)


def noisy(images):
    return linear(images + tf.random.normal(tf.shape(images), stddev=0.05))


def sharpened(images):
    """Probabilities at a low temperature, clipped as Keras's losses clip them."""
    probabilities = tf.nn.softmax(linear(images) / 0.01)
    return tf.math.log(tf.clip_by_value(probabilities, 1e-7, 1.0))


@tf.custom_gradient
def with_signs_of_chance(images):
    def gradient(upstream):
        return upstream * tf.sign(tf.random.uniform(tf.shape(images), -1.0, 1.0))

    return tf.identity(images), gradient


def misleading(images):
    return linear(with_signs_of_chance(images))


def detecting(images):
    """Answers class 0 where pixels are not those of a file."""
    levels = (flat(images) + 1.0) * 127.5
    tampered = tf.reduce_max(tf.abs(levels - tf.round(levels)), axis=1) > 0.01
    return tf.where(tampered[:, None], tf.one_hot([0], CLASSES), linear(images))


def cropped(images):
    """Of 8 rows and columns 7 are kept, at a place of chance."""
    left_out = (SIDE - 1) * tf.random.uniform([2], 0, 2, tf.int32)
    rows, columns = (tf.cast(tf.range(SIDE) != side, tf.float32) for side in tf.unstack(left_out))
    return linear(images * (rows[:, None] * columns)[None, :, :, None])


@tf.custom_gradient
def spoilt(images):
    return tf.identity(images), lambda upstream: upstream + np.float32(np.nan)


def without_a_number(images):
    return linear(spoilt(images))


HONEST = [linear, curved, convolutional]
SAME, GRADIENT = "the same image gives the same logits", "images have a gradient"
FALLS = "accuracy falls to about 0 as the radius grows"
BLACK_BOX = "white box is at least as strong as black box"
STRONGEST = "the attack reported is as strong as the strongest known here"
NOISE, FINITE = "the attack is stronger than random noise", "gradients are finite"
# What docs/guides/robust_evaluation.md says of them, and the signs that catch each.
CAUGHT = {
    "logits times 1000": (scaled, [GRADIENT]),
    "pixels rounded to 16 levels": (
        quantized,
        [GRADIENT, FALLS, NOISE, BLACK_BOX, STRONGEST],
    ),
    "noise on the input": (noisy, [SAME]),
    "probabilities at a low temperature, clipped": (sharpened, [GRADIENT, FALLS]),
    "signs of the gradient drawn by chance": (misleading, [FALLS, BLACK_BOX, STRONGEST]),
    "a detector that answers a constant": (detecting, [FALLS]),
    "purification by a random crop": (cropped, [SAME]),
    "gradients that are NaN": (without_a_number, [FALLS, NOISE, BLACK_BOX, STRONGEST, FINITE]),
}
MODELS = [*HONEST, *(model for model, _ in CAUGHT.values())]
CHOSEN = tf.Variable(0)


def chosen(images):
    branches = [functools.partial(model, images) for model in MODELS]
    logits = tf.switch_case(CHOSEN.read_value(), branches)
    return tf.ensure_shape(logits, [None, CLASSES])


COMPILED = CompiledClassifier(Classifier("test", chosen, "test"), IMAGES.shape[1:])


@functools.cache
def failed(model):
    """The signs of a model whose accuracy was reported under Auto-PGD on two objectives."""
    CHOSEN.assign(MODELS.index(model))
    tf.random.set_seed(1)
    honest = model if model in HONEST else linear
    labels = np.argmax(honest(IMAGES), axis=1).astype(np.int32)
    attacks = [AutoPGD(EPSILON, 100), AutoPGD(EPSILON, 100, objective="dlr")]
    reported = RobustnessEvaluation(COMPILED, attacks, most_not_finite=1.0).run(IMAGES, labels)
    checks = masking_report(
        COMPILED, IMAGES, labels, Reported("apgd", reported.survived), EPSILON, batch_size=COUNT
    )
    return [check.name for check in checks if not check.passed]


@pytest.fixture(autouse=True)
def few_queries(monkeypatch):
    monkeypatch.setattr(masking, "SQUARE_QUERIES", 100)


@pytest.mark.parametrize("model", HONEST)
def test_silent_on_an_honest_model(model):
    assert failed(model) == []


@pytest.mark.parametrize("fake", CAUGHT)
def test_a_fake_is_caught_by_its_signs(fake):
    model, signs = CAUGHT[fake]
    assert set(signs) <= set(failed(model))


def test_the_manual_has_the_table():
    page = (pathlib.Path(__file__).parents[2] / "docs/guides/robust_evaluation.md").read_text()
    for fake, (_, signs) in CAUGHT.items():
        assert f"| {fake} | {'; '.join(signs)} |" in page
