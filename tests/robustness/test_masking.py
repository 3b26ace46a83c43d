"""The masking report: alarms on planted fakes, silence on an honest model."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.robustness.masking import masking_report
from robgan_tf.robustness.subjects import Classifier

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-0.6, 0.6, [80, 8, 8, 1]).astype(np.float32)
WEIGHTS = tf.constant(0.3 * RANDOM.normal(size=[64, 4]), tf.float32)
EPSILON = 0.05


def honest(images):
    return tf.matmul(tf.reshape(images, [-1, 64]), WEIGHTS)


LABELS = np.argmax(honest(IMAGES), axis=1).astype(np.int32)


def too_large(images):
    return 1000.0 * honest(images)


def quantized(images):
    return honest(tf.round(images * 8.0) / 8.0)


def randomized(images):
    return honest(images + tf.random.normal(tf.shape(images), stddev=0.05))


def failed(logits):
    report = masking_report(Classifier("test", logits, "test"), IMAGES, LABELS, EPSILON)
    return {check.name for check in report if not check.passed}


def test_silent_on_an_honest_model():
    assert failed(honest) == set()


@pytest.mark.parametrize(
    ("fake", "sign"),
    [
        (too_large, "images have a gradient"),
        (quantized, "images have a gradient"),
        (quantized, "white box is at least as strong as black box"),
        (randomized, "the same image gives the same logits"),
    ],
)
def test_planted_fakes(fake, sign):
    assert sign in failed(fake)
