"""The masking report: alarms on planted fakes, silence on an honest model."""

import contextlib
import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.masking import Reported, masking_report
from robgan_tf.robustness.outcome import Outcome
from robgan_tf.robustness.signs import MaskingReport
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.table import markdown, summary

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-0.6, 0.6, [80, 8, 8, 1]).astype(np.float32)
WEIGHTS = tf.constant(0.3 * RANDOM.normal(size=[64, 4]), tf.float32)
EPSILON = 0.05


def honest(images):
    return tf.matmul(tf.reshape(images, [-1, 64]), WEIGHTS)


LABELS = np.argmax(honest(IMAGES), axis=1).astype(np.int32)


def too_large(images):
    return 1000.0 * honest(images)


HELD = []  # Whose weights were prepared: once in each function that is compiled.


@contextlib.contextmanager
def held(logits):
    HELD.append(logits)
    yield


@functools.cache
def report(logits):
    # Of what a fake hides, the attack reported has found nothing; of the honest model all.
    survived = np.full(len(IMAGES), logits is not honest)
    reported = Reported("published", survived)
    classifier = Classifier("test", logits, "test", functools.partial(held, logits))
    compiled = CompiledClassifier(classifier, IMAGES.shape[1:])
    return masking_report(compiled, IMAGES, LABELS, reported, EPSILON)


def failed(logits):
    return {check.name for check in report(logits) if not check.passed}


STRONGEST = "the attack reported is as strong as the strongest known here"


def test_silent_on_an_honest_model():
    assert failed(honest) == set()


def test_what_differs_in_numbers_is_compiled_once():
    report(honest)
    # Predictions, PGD on two objectives, FGSM, noise, Auto-PGD on two objectives, Square.
    assert HELD.count(honest) == 8


def test_every_row_says_what_is_allowed_and_the_table_what_its_rows_are():
    checks = list(report(honest))
    assert all("; allowed up to " in check.figures for check in checks)
    rows = summary({0.0: Outcome(LABELS, np.full(80, ""), IMAGES, 0.0)})
    table = markdown({"test": rows}, "attack", "linf", "images", MaskingReport("80 images", checks))
    # What a row says is what holds: a yes is no bad sign.
    assert "| of a model that hides nothing | holds | measured |" in table
    assert "| images have a gradient | yes |" in table
    assert "may be too high" not in table
    checks[0] = dataclasses.replace(checks[0], passed=False)
    table = markdown({"test": rows}, "attack", "linf", "images", MaskingReport("80 images", checks))
    assert "| **NO** |" in table
    assert "**1 relation does not hold: the accuracies under attack may be too high.**" in table


@pytest.mark.parametrize("sign", ["images have a gradient", STRONGEST])
def test_a_planted_fake(sign):
    # More of them, of one compilation: tests/robustness/test_planted_fakes.py.
    assert sign in failed(too_large)


def test_what_is_hidden_is_told_in_figures():
    rows = {check.name: check.figures for check in report(too_large)}
    # Whatever the scale, what attacks here climb has a gradient, and they find their way.
    assert rows["images have a gradient"].startswith(
        "0.0% of the images have a gradient of exactly 0, 9"
    )
    assert rows[STRONGEST].startswith("100.0% under published as reported and ")
    for row in report(honest):
        if row.name == "accuracy falls to about 0 as the radius grows":
            assert row.figures == rows[row.name]
