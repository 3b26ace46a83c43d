"""Adversarial weight perturbation against a network of two layers worked out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.keras_versions import variable_path
from robgan_tf.losses.objective.trades import Trades
from robgan_tf.models import PreActResNet18
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.finetune_step import FinetunePlayers, FinetuneStep, trained_variables
from tests import tiny_classifier as tiny

GAMMA = 0.1
NO_ATTACK = ProjectedGradientDescent(0.0, 0, 0.0)


class TwoLayers(keras.Model):
    """Images, tanh, classes."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(5, activation="tanh")
        self.class_head = keras.layers.Dense(3, bias_initializer="glorot_normal")
        self.source_head = keras.layers.Dense(1)

    def build(self, input_shape):
        self.hidden.build((None, 4))
        self.class_head.build((None, 5))
        self.source_head.build((None, 5))
        self.built = True

    def call(self, images, labels=None, training=False):
        hidden = self.hidden(tf.reshape(images, [-1, 4]))
        return self.source_head(hidden)[:, 0], self.class_head(hidden)


def by_hand(weights, images, labels):
    """Gradients of the mean cross-entropy with respect to (W1, b1, W2, b2), in float64."""
    first, bias_1, second, bias_2 = weights
    hidden = np.tanh(images @ first + bias_1)
    logits = hidden @ second + bias_2
    powers = np.exp(logits)
    of_logits = (powers / powers.sum(axis=1, keepdims=True) - np.eye(3)[labels]) / len(labels)
    of_hidden = (of_logits @ second.T) * (1.0 - hidden**2)
    return [
        images.T @ of_hidden,
        of_hidden.sum(axis=0),
        hidden.T @ of_logits,
        of_logits.sum(axis=0),
    ]


def two_layers(rate):
    keras.utils.set_random_seed(3)
    model, strategy = TwoLayers(), make_strategy("single_device")
    model.build((None, 2, 2, 1))
    optimizer = keras.optimizers.SGD(rate)
    optimizer.build(trained_variables(model))
    objective = tiny.changed_objective(
        weight_perturbation=GAMMA, weight_perturbation_warmup_steps=1
    )
    step = FinetuneStep(
        FinetunePlayers(model, None, optimizer), NO_ATTACK, objective, strategy=strategy, seed=0
    )
    random = np.random.default_rng(0)
    images = random.uniform(-1.0, 1.0, [6, 2, 2, 1]).astype(np.float32)
    return step, (tf.constant(images), tf.constant([0, 1, 2, 0, 1, 2]))


def test_an_update_is_the_gradient_at_the_perturbed_kernels_of_the_weights_as_they_were():
    step, (images, labels) = two_layers(rate=1.0)
    flat, classes = np.float64(images).reshape(6, 4), np.array(labels)
    variables = trained_variables(step.players.classifier)
    for number in (1, 2):
        weights = [np.float64(variable) for variable in variables]
        gradients = by_hand(weights, flat, classes)
        if number == 2:  # The first step is the warm-up.
            moved = [
                w + GAMMA * np.linalg.norm(w) / np.linalg.norm(g) * g if w.ndim > 1 else w
                for w, g in zip(weights, gradients, strict=True)
            ]
            plain, gradients = gradients, by_hand(moved, flat, classes)
            assert max(np.abs(a - b).max() for a, b in zip(plain, gradients, strict=True)) > 1e-3
        metrics = step((images, labels), None, tiny.step_number(number))
        for variable, weight, gradient in zip(variables, weights, gradients, strict=True):
            np.testing.assert_allclose(variable, weight - gradient, atol=1e-6)
    # It is an ascent: of the loss that is reported for the weights themselves.
    perturbed = metrics["loss_discriminator/perturbed_weights_total"]
    assert float(perturbed) > float(metrics["loss_discriminator/total"])
    assert float(metrics["loss_discriminator/total"]) == pytest.approx(
        float(metrics["loss_discriminator/real_class"])
    )


@pytest.mark.parametrize("normalization", ["spectral", "batch"])
def test_with_a_learning_rate_of_0_the_weights_are_the_same_to_the_bit(normalization, eagerly):
    """And a kernel under spectral normalization is perturbed as stored, then normalized anew.

    The vectors u make their step at the weights themselves and none at the perturbed ones.
    """
    step = tiny.build(
        tiny.changed_objective(weight_perturbation=0.05),
        normalization=normalization,
        attack=NO_ATTACK,
        make_optimizer=lambda: keras.optimizers.SGD(0.0),
    )
    real, generated = tiny.batches()
    model = step.players.classifier
    trained, before = trained_variables(model), [np.array(v) for v in model.trainable_variables]
    metrics = step(real, generated, tiny.step_number())
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)

    images, labels = (tf.concat(part, axis=0) for part in zip(real, generated, strict=True))
    # u would advance in training mode.
    mode = {"training": True, "update_statistics": False} if normalization == "batch" else {}

    def loss():
        losses = keras.losses.sparse_categorical_crossentropy(
            labels, model(images, **mode)[1], from_logits=True
        )
        return tf.reduce_mean(losses[:8]) + 0.5 * tf.reduce_mean(losses[8:])

    with tf.GradientTape() as tape:
        plain = loss()
    assert float(metrics["loss_discriminator/total"]) == pytest.approx(float(plain), rel=1e-5)
    for variable, gradient in zip(trained, tape.gradient(plain, trained), strict=True):
        if len(variable.shape) > 1:
            length = np.linalg.norm(variable) / np.linalg.norm(gradient)
            variable.assign(variable + 0.05 * length * gradient)
    assert float(metrics["loss_discriminator/perturbed_weights_total"]) == pytest.approx(
        float(loss()), rel=1e-5
    )
    if normalization == "batch":
        # The averages have moved once, towards the statistics at the perturbed weights.
        layer = model.block_1.normalization_2
        hidden = model.block_1.convolution_1(images)
        np.testing.assert_allclose(
            layer.moving_mean, 0.1 * np.mean(hidden, axis=(0, 1, 2)), rtol=1e-4, atol=1e-6
        )


def test_a_kernel_without_a_gradient_stays():
    step, (images, labels) = two_layers(rate=1.0)
    model = step.players.classifier
    model.class_head.kernel.assign(tf.zeros_like(model.class_head.kernel))
    first = np.array(model.hidden.kernel)
    step((images, labels), None, tiny.step_number(2))
    assert np.isfinite(model.class_head.kernel).all() and np.abs(model.class_head.kernel).max() > 0
    # Its gradient is 0 as long as the second layer is, whose length of 0 allows no move.
    np.testing.assert_array_equal(model.hidden.kernel, first)


def test_preact_resnet18_is_trained_so_too(eagerly):
    """TRADES at perturbed weights: its batch statistics move, its weights stay at a rate of 0."""
    keras.utils.set_random_seed(1)
    model = PreActResNet18(16, 1, 10, base_width=2, normalization="batch")
    model.build()
    optimizer = keras.optimizers.SGD(0.0)
    optimizer.build(trained_variables(model))
    step = FinetuneStep(
        FinetunePlayers(model, None, optimizer),
        ProjectedGradientDescent(0.1, 1, 0.1),
        tiny.changed_objective(loss=Trades(), weight_perturbation=0.05),
        strategy=make_strategy("single_device"),
        seed=0,
    )
    before = [np.array(variable) for variable in model.variables]
    metrics = step(*tiny.batches(), tiny.step_number())
    for variable, value in zip(model.variables, before, strict=True):
        assert np.array_equal(variable, value) == variable.trainable, variable_path(variable)
    total = float(metrics["loss_discriminator/total"])
    assert float(metrics["loss_discriminator/perturbed_weights_total"]) > total


def test_free_adversarial_training_refuses_it():
    with pytest.raises(ValueError, match="one backward pass an update and weight perturbation two"):
        tiny.build(tiny.changed_objective(free=True, weight_perturbation=0.1))
