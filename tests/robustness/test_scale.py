"""Logits times a number: temperature changes what a model is sure of, not what can be attacked."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm
from robgan_tf.attacks.protocol import make_attacks
from robgan_tf.attacks.protocols.mi_fgsm import MomentumSearch
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.choices import PROTOCOLS
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.gradients import shares_of_zero
from robgan_tf.robustness.subjects import Classifier

SCALES = (1e-3, 1.0, 1e3, 1e5)
RANDOM = np.random.default_rng(5)
COUNT, SIDE, CLASSES = 60, 6, 6
IMAGES = RANDOM.uniform(-0.6, 0.6, [COUNT, SIDE, SIDE, 1]).astype(np.float32)
FIRST = (RANDOM.normal(size=[SIDE**2, 20]) / SIDE).astype(np.float32)
SECOND = RANDOM.normal(size=[20, CLASSES]).astype(np.float32)
# Not each other's negative: where the label's part of a gradient is lost, it shows.
LINEAR = RANDOM.normal(size=[SIDE**2, CLASSES]).astype(np.float32)
RADII = {"linf": 0.05, "l2": 0.2}
SCALE = tf.Variable(1.0)  # So that an attack is compiled once for all scales.


def curved(images):
    hidden = tf.tanh(3.0 * tf.matmul(tf.reshape(images, [-1, SIDE**2]), FIRST))
    return SCALE * tf.matmul(hidden, SECOND)


def linear(images, classes=CLASSES):
    return SCALE * tf.matmul(tf.reshape(images, [-1, SIDE**2]), LINEAR[:, :classes])


def two_classes(images):
    return linear(images, 2)


def labels_of(logits_fn):
    SCALE.assign(1.0)
    return np.argmax(logits_fn(IMAGES), axis=1).astype(np.int32)


@functools.cache
def compiled(logits_fn):
    return CompiledClassifier(Classifier("x", logits_fn, "x"), IMAGES.shape[1:])


def of_scales(logits_fn, attacks):
    """The Outcome of each scale of the logits."""
    labels = labels_of(logits_fn)
    evaluation = RobustnessEvaluation(compiled(logits_fn), attacks)
    for scale in SCALES:
        SCALE.assign(scale)
        yield scale, evaluation.run(IMAGES, labels)
    SCALE.assign(1.0)


def check_same_accuracy(logits_fn, attacks):
    survived = {scale: found.survived.sum() for scale, found in of_scales(logits_fn, attacks)}
    assert 0 < survived[1.0] < COUNT, "a radius at which there is nothing to tell"
    for scale, count in survived.items():
        assert abs(int(count) - int(survived[1.0])) <= 1, f"{scale:g}: {survived}"


@pytest.mark.parametrize(
    ("kind", "norm"),
    [("pgd", "linf"), ("pgd", "l2"), ("apgd", "l2"), ("apgd-targeted", "linf")],
)
def test_dlr(kind, norm):
    radius = RADII[norm]
    check_same_accuracy(
        curved,
        [
            {
                "pgd": lambda: PGDSearch(radius, 20, radius / 5, norm, objective="dlr"),
                "apgd": lambda: AutoPGD(radius, 40, norm, "dlr"),
                "apgd-targeted": lambda: AutoPGD(
                    radius, 30, norm, "targeted_dlr", target_classes=2
                ),
            }[kind]()
        ],
    )


@pytest.mark.parametrize("norm", RADII)
@pytest.mark.parametrize("protocol", [*PROTOCOLS.shipped(), "apgd-margin"])
def test_every_attack_on_a_linear_model_of_two_classes(norm, protocol):
    if protocol == "strong":
        assert [type(attack) for attack in make_attacks("strong", 0.1, norm, 2)] == [
            AutoPGD,
            AutoPGD,
            SquareSearch,
        ], "whose parts are tried one by one"
        return
    if protocol == "apgd-margin":
        attacks = [AutoPGD(RADII[norm], 40, norm, "margin")]
    else:
        attacks = make_attacks(protocol, RADII[norm], norm, 2)
    for attack in attacks:
        if isinstance(attack, SquareSearch):
            attack.queries = 300
        if isinstance(attack, FAB):
            attack.steps, attack.restarts = 20, 1
    check_same_accuracy(two_classes, attacks)


def wrong_logits(flat, labels, scale):
    """In float64: the softmax over all classes but the label's, of the linear model."""
    logits = scale * (flat @ LINEAR.astype(np.float64))
    logits[np.arange(len(labels)), labels] = -np.inf
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def cross_entropy_gradient(flat, labels, scale):
    """Its direction, to which the share of all other classes together contributes a factor."""
    weights = wrong_logits(flat, labels, scale)
    weights[np.arange(len(labels)), labels] = -1.0
    return weights @ LINEAR.astype(np.float64).T


def in_float64(kind, norm, labels, scale):
    radius, start = RADII[norm], IMAGES.reshape(COUNT, -1).astype(np.float64)
    steps, length = {"fgsm": (1, 1.0), "pgd-20": (20, 0.2), "mi-fgsm": (10, 0.1)}[kind]
    flat, accumulated = start.copy(), np.zeros_like(start)
    for _ in range(steps):
        gradient = cross_entropy_gradient(flat, labels, scale)
        if kind == "mi-fgsm":
            accumulated += gradient / np.abs(gradient).sum(axis=1, keepdims=True)
            gradient = accumulated
        if norm == "linf":
            change = flat + length * radius * np.sign(gradient) - start
            change = np.clip(change, -radius, radius)
        else:
            unit = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
            change = flat + length * radius * unit - start
            reached = np.linalg.norm(change, axis=1, keepdims=True)
            change *= np.minimum(radius / reached, 1.0)
        flat = np.clip(start + change, -1.0, 1.0)
    return flat


@pytest.mark.parametrize(
    ("kind", "norm"),
    [("fgsm", "linf"), ("pgd-20", "linf"), ("pgd-20", "l2"), ("mi-fgsm", "l2")],
)
def test_cross_entropy_is_that_of_float64_at_each_scale(kind, norm):
    radius = RADII[norm]
    attack = {
        "fgsm": lambda: fgsm(radius, norm),
        "pgd-20": lambda: PGDSearch(radius, 20, radius / 5, norm, keep="last"),
        "mi-fgsm": lambda: MomentumSearch(radius, norm=norm),
    }[kind]()
    labels = labels_of(linear)
    directions = []
    for scale, outcome in of_scales(linear, [attack]):
        expected = in_float64(kind, norm, labels, scale)
        found = outcome.adversarial.reshape(COUNT, -1)
        apart = np.abs(found - expected).max(axis=1)
        # Where two wrong classes are level, float32 and float64 may follow one each.
        assert (apart < 1e-4).mean() >= 0.95, f"{scale:g}: {np.sort(apart)[-10:]}"
        right = np.argmax(expected @ LINEAR.astype(np.float64), axis=1) == labels
        assert abs(int(outcome.survived.sum()) - int(right.sum())) <= 1
        directions.append(found - IMAGES.reshape(COUNT, -1))
    # Temperature changes the direction of cross-entropy: it is not the same attack four times.
    assert np.abs(directions[0] - directions[2]).max() > 0.1 * radius


def test_exact_zeros_of_cross_entropy_are_counted():
    labels = labels_of(linear)
    for scale in SCALES:
        SCALE.assign(scale)
        logits = np.sort(np.asarray(linear(IMAGES), np.float64), axis=1)
        ahead = logits[:, -1] - logits[:, -2]
        climbed, zero = shares_of_zero(Classifier("x", linear, "x"), IMAGES, labels, 25)
        # exp(-87.3) is the smallest normal number of float32, exp(-103.3) the smallest of all.
        assert (ahead > 103.3).mean() <= zero <= (ahead > 87.3).mean()
        assert climbed == 0.0
    SCALE.assign(1.0)
    assert zero > 0.9  # At the largest scale.
