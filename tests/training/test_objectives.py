"""The updates of TRADES and MART: their attacks, their passes and their gradients written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.choices import OBJECTIVES
from robgan_tf.keras_versions import variable_path
from robgan_tf.losses import divergence
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.training.finetune_step import trained_variables
from tests import tiny_classifier as tiny
from tests.test_choices import Grey

ATTACK = ProjectedGradientDescent(0.1, 2, 0.05)
WEIGHT = 4.0


def objective(name, **changes):
    return tiny.changed_objective(loss=OBJECTIVES.get(name)(WEIGHT), **changes)


def started(images, source):
    """x + 0.002 N(0, 1), by the seeds that the step is documented to use."""
    seeds = tf.random.split(derive_seed(0, Purpose.RANDOM_START, 1, source), len(images))
    noise = [tf.random.stateless_normal(images.shape[1:], s, dtype=images.dtype) for s in seeds]
    return tf.constant(np.clip(images + 0.002 * np.array(noise), -1.0, 1.0), images.dtype)


def kullback_leibler(logits_p, logits_q):
    # Of logits: far apart, as those of some first weights are, they give probabilities of 0.
    log_p, log_q = tf.nn.log_softmax(logits_p), tf.nn.log_softmax(logits_q)
    return tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), axis=1)


def cross_entropy(targets, p):
    return -tf.reduce_sum(targets * tf.math.log(p), axis=1)


def attacked_by_hand(model, name, images, labels, source):
    """Two signed steps on what the objective's paper says, in inference mode."""
    clean = np.array(model(images, training=False)[1])
    moved = started(images, source)
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(moved)
            logits = model(moved, training=False)[1]
            if name == "trades":
                losses = kullback_leibler(clean, logits)
            else:
                losses = keras.losses.sparse_categorical_crossentropy(
                    labels, logits, from_logits=True
                )
        moved = moved + 0.05 * tf.sign(tape.gradient(losses, moved))
        moved = tf.clip_by_value(tf.clip_by_value(moved, images - 0.1, images + 0.1), -1.0, 1.0)
    return moved


@pytest.fixture
def float64():
    keras.backend.set_floatx("float64")
    keras.mixed_precision.set_global_policy("float64")
    yield
    keras.backend.set_floatx("float32")
    keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize("name", ["trades", "mart"])
def test_an_update_written_out(name, float64, eagerly):
    """With generated images, labels smoothed on both kinds, and batch statistics of each pass.

    In float64, where no sign of a gradient is a matter of rounding.
    """
    step = tiny.build(
        objective(name, label_smoothing=0.1, generated_label_smoothing=0.2, generated_weight=0.3),
        normalization="batch",
        attack=ATTACK,
    )
    batches, model = tiny.batches(), step.players.classifier
    batches = [(tf.cast(images, tf.float64), labels) for images, labels in batches]
    for layer in (model.block_1.normalization_2, model.block_2.normalization_1):
        layer.moving_variance.assign(np.full(layer.moving_variance.shape, 0.01))
    images, labels = (tf.concat(part, axis=0) for part in zip(*batches, strict=True))
    attacked = tf.concat(
        [attacked_by_hand(model, name, *batch, source) for source, batch in enumerate(batches)],
        axis=0,
    )
    before = [np.array(variable) for variable in model.variables]
    smoothing = np.array([0.1] * 8 + [0.2] * 4)[:, None]
    targets = (1.0 - smoothing) * np.eye(10)[labels] + smoothing / 10.0
    mode = {"training": True, "update_statistics": False}
    with tf.GradientTape() as tape:
        clean, logits = model(images, **mode)[1], model(attacked, **mode)[1]
        p, q = tf.nn.softmax(clean), tf.nn.softmax(logits)
        apart = kullback_leibler(clean, logits)
        if name == "trades":
            losses = cross_entropy(targets, p) + WEIGHT * apart
        else:
            of_label = np.eye(10)[labels]
            wrong = tf.reduce_max(q * (1.0 - of_label), axis=1)
            losses = cross_entropy(targets, q) - tf.math.log(1.0 - wrong)
            losses += WEIGHT * apart * (1.0 - tf.reduce_sum(p * of_label, axis=1))
        total = tf.reduce_mean(losses[:8]) + 0.3 * tf.reduce_mean(losses[8:])
    trained = trained_variables(model)
    gradients = {
        variable_path(v): g for v, g in zip(trained, tape.gradient(total, trained), strict=True)
    }
    hidden = [np.array(model.block_1.convolution_1(x)).mean((0, 1, 2)) for x in (images, attacked)]
    metrics = step(*batches, tiny.step_number())
    assert float(metrics["loss_discriminator/total"]) == pytest.approx(float(total), rel=1e-6)
    for kind, part in (("real", slice(8)), ("fake", slice(8, 12))):
        found = np.argmax(clean[part], axis=1) == np.array(labels[part])
        assert float(metrics[f"accuracy_class/{kind}"]) == pytest.approx(found.mean())
    for variable, value in zip(model.variables, before, strict=True):
        if variable_path(variable) in gradients:
            expected = value - gradients[variable_path(variable)]
            np.testing.assert_allclose(variable, expected, rtol=1e-6, atol=1e-8)
    # Moving averages see the clean images, then the attacked ones.
    np.testing.assert_allclose(
        model.block_1.normalization_2.moving_mean,
        0.9 * 0.1 * hidden[0] + 0.1 * hidden[1],
        rtol=1e-6,
    )


def test_free_trades_moves_images_by_its_own_update(eagerly):
    """With a learning rate of 0 its replays are an attack on one and the same D."""
    step = tiny.build(
        objective("trades", free=True),
        attack=ProjectedGradientDescent(0.1, 3, 0.05),
        make_optimizer=lambda: keras.optimizers.SGD(0.0),
    )
    (images, labels), _ = tiny.batches()
    model = step.players.classifier
    clean, moved, values = model(images)[1], started(images, 0), []
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(moved)
            apart = divergence(clean, model(moved)[1])
        values.append(float(tf.reduce_mean(apart)))
        moved = moved + 0.05 * tf.sign(tape.gradient(apart, moved))
        moved = tf.clip_by_value(tf.clip_by_value(moved, images - 0.1, images + 0.1), -1.0, 1.0)
    metrics = step((images, labels), None, tiny.step_number())
    divergences = metrics["loss_discriminator/real_divergence"]
    assert float(divergences) == pytest.approx(np.mean(values), rel=1e-3)
    assert values[0] < values[1] < values[2]


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="is not what the attack of Mart maximises"):
        tiny.build(objective("mart", free=True), attack=ATTACK)
    with pytest.raises(ValueError, match="Trades compares clean with attacked images and needs an"):
        tiny.build(objective("trades"), attack=ProjectedGradientDescent(0.0, 0, 0.0))
    grey = Grey(0.1, 1, 0.1, "linf", False, False)
    with pytest.raises(ValueError, match="Mart says where its attack starts, which Grey does not"):
        tiny.build(objective("mart"), attack=grey)


def test_labels_of_real_images_are_smoothed_alone(eagerly):
    step = tiny.build(tiny.changed_objective(label_smoothing=0.3), attack=ATTACK)
    other = tiny.build(tiny.changed_objective(), attack=ATTACK)
    real, generated = tiny.batches()
    smoothed, plain = (s(real, generated, tiny.step_number()) for s in (step, other))
    name = "loss_discriminator/fake_attacked_class"
    assert float(smoothed[name]) == float(plain[name])
    name = "loss_discriminator/real_class"
    assert float(smoothed[name]) != float(plain[name])
