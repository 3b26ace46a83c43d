"""The classifier's update, against the equations written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.errors import NonFiniteError
from robgan_tf.keras_versions import variable_path
from robgan_tf.randomness import Purpose, derive_seed
from tests import tiny_classifier as tiny

NO_ATTACK = ProjectedGradientDescent(0.0, 0, 0.0)


def values_of(model):
    return {variable_path(variable): np.array(variable) for variable in model.variables}


def moved(step, real, generated, number=1):
    """What one step of SGD of rate 1 subtracts from each variable, and the step's metrics."""
    before = values_of(step.players.classifier)
    metrics = step(real, generated, tiny.step_number(number))
    after = values_of(step.players.classifier)
    return {path: before[path] - after[path] for path in before}, metrics


def cross_entropy(logits, targets):
    """In float64 numpy, of target probabilities [N, K]."""
    logits = np.asarray(logits, np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return -(targets * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1)


def one_hot(labels, smoothing=0.0):
    return (1.0 - smoothing) * np.eye(10)[np.asarray(labels)] + smoothing / 10.0


def attacked(step, images, labels, source, number=1):
    """The attack on its own, with the seeds that the step is documented to use."""
    seeds = tf.random.split(
        derive_seed(step.seed, Purpose.RANDOM_START, number, source), len(labels)
    )
    model = step.players.classifier

    def loss(x):
        return keras.losses.sparse_categorical_crossentropy(
            labels, model(x, training=False)[1], from_logits=True
        )

    return step.attack(loss, images, seed=seeds)


def test_the_gradient_is_that_of_equation_6():
    step = tiny.build(tiny.changed_objective(generated_weight=0.3, generated_label_smoothing=0.2))
    real, generated = tiny.batches()
    inputs = [attacked(step, *batch, source) for source, batch in enumerate((real, generated))]
    model = step.players.classifier
    with tf.GradientTape() as tape:
        logits = [model(x, training=True)[1] for x in inputs]
        losses = [
            keras.losses.categorical_crossentropy(one_hot(labels, smoothing), z, from_logits=True)
            for z, labels, smoothing in ((logits[0], real[1], 0.0), (logits[1], generated[1], 0.2))
        ]
        total = tf.reduce_mean(losses[0]) + 0.3 * tf.reduce_mean(losses[1])
    variables = model.trainable_variables
    expected = dict(
        zip((variable_path(v) for v in variables), tape.gradient(total, variables), strict=True)
    )
    of_numpy = [
        cross_entropy(logits[0], one_hot(real[1])).mean(),
        cross_entropy(logits[1], one_hot(generated[1], 0.2)).mean(),
    ]
    moves, metrics = moved(step, real, generated)
    assert float(metrics["loss_discriminator/real_class"]) == pytest.approx(of_numpy[0], rel=1e-5)
    assert float(metrics["loss_discriminator/fake_attacked_class"]) == pytest.approx(
        of_numpy[1], rel=1e-5
    )
    for path, move in moves.items():
        if "source_head" in path:
            np.testing.assert_array_equal(move, 0.0)
        else:
            np.testing.assert_allclose(move, expected[path], rtol=1e-3, atol=2e-6)
            assert np.abs(move).max() > 0.0


def test_equation_3_needs_no_generated_images():
    real, generated = tiny.batches()
    alone, metrics = moved(tiny.build(), real, None)
    weightless, _ = moved(tiny.build(tiny.changed_objective(generated_weight=0.0)), real, generated)
    assert "loss_discriminator/fake_attacked_class" not in metrics
    for path, move in alone.items():
        np.testing.assert_allclose(move, weightless[path], rtol=1e-4, atol=1e-7)


def test_without_attack_training_is_clean():
    step = tiny.build(attack=NO_ATTACK)
    real, _ = tiny.batches()
    expected = cross_entropy(step.players.classifier(real[0])[1], one_hot(real[1])).mean()
    _, metrics = moved(step, real, None)
    assert float(metrics["loss_discriminator/real_class"]) == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def float64():
    keras.backend.set_floatx("float64")
    keras.mixed_precision.set_global_policy("float64")
    yield
    keras.backend.set_floatx("float32")
    keras.mixed_precision.set_global_policy("float32")


def test_the_penalty_is_that_of_equation_4(float64):
    """Its derivative along a random direction of the weights, by finite differences.

    In float64, where the differences are too short to cross a kink of a ReLU.
    """
    (images, labels), _ = tiny.batches()
    real = tf.cast(images, tf.float64), labels
    penalised = tiny.build(tiny.changed_objective(lipschitz_weight=0.5), attack=NO_ATTACK)
    model = penalised.players.classifier
    kernel = model.block_2.convolution_2.kernel
    direction = np.random.default_rng(0).normal(size=kernel.shape)
    start = np.array(kernel)

    def value(shift):
        kernel.assign(start + shift * direction)
        images = tf.constant(real[0])
        with tf.GradientTape() as tape:
            tape.watch(images)
            losses = keras.losses.sparse_categorical_crossentropy(
                real[1], model(images)[1], from_logits=True
            )
        lengths = np.linalg.norm(np.array(tape.gradient(losses, images)).reshape(8, -1), axis=1)
        return float(tf.reduce_mean(losses)) + 0.5 * float(lengths.mean())

    expected = (value(1e-7) - value(-1e-7)) / 2e-7
    kernel.assign(start)
    moves, metrics = moved(penalised, real, None)
    assert float(metrics["lipschitz_class/attacked"]) > 0.0
    assert np.sum(moves[variable_path(kernel)] * direction) == pytest.approx(expected, rel=1e-4)


def test_batch_normalization_is_in_inference_mode_in_the_attack_only():
    step = tiny.build(normalization="batch")
    real, generated = tiny.batches()
    model = step.players.classifier
    for layer in (model.block_1.normalization_2, model.block_2.normalization_1):
        layer.moving_variance.assign(np.full(layer.moving_variance.shape, 0.01, np.float32))
    inputs = tf.concat(
        [attacked(step, *batch, source) for source, batch in enumerate((real, generated))], axis=0
    )
    hidden = np.array(model.block_1.convolution_1(inputs))
    logits = model(inputs, training=True, update_statistics=False)[1]
    expected = cross_entropy(logits[:8], one_hot(real[1])).mean()
    _, metrics = moved(step, real, generated)
    assert float(metrics["loss_discriminator/real_class"]) == pytest.approx(expected, rel=1e-3)
    # One move of the averages a step, towards the statistics of the attacked images.
    np.testing.assert_allclose(
        model.block_1.normalization_2.moving_mean,
        0.1 * hidden.mean(axis=(0, 1, 2)),
        rtol=1e-3,
        atol=1e-5,
    )


def test_free_training_makes_an_update_a_step_of_the_attack():
    attack = ProjectedGradientDescent(0.1, 3, 0.05, random_start=True)
    step = tiny.build(
        tiny.changed_objective(free=True),
        attack=attack,
        make_optimizer=lambda: keras.optimizers.Adam(0.0),
    )
    real, generated = tiny.batches()
    losses = []
    seeds = [
        tf.random.split(derive_seed(0, Purpose.RANDOM_START, 1, source), len(batch[1]))
        for source, batch in enumerate((real, generated))
    ]
    # With a learning rate of 0 the replays are an attack on one and the same D.
    model = step.players.classifier
    images = [
        attack.start(batch[0], seed, 0.1)
        for batch, seed in zip((real, generated), seeds, strict=True)
    ]
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(images)
            of_real, of_generated = (
                keras.losses.sparse_categorical_crossentropy(
                    batch[1], model(x)[1], from_logits=True
                )
                for x, batch in zip(images, (real, generated), strict=True)
            )
            total = tf.reduce_sum(of_real) + tf.reduce_sum(of_generated)
        losses.append(float(tf.reduce_mean(of_real)))
        gradients = tape.gradient(total, images)
        images = [
            attack.step(batch[0], x, gradient, 0.1)
            for batch, x, gradient in zip((real, generated), images, gradients, strict=True)
        ]
    metrics = step(real, generated, tiny.step_number())
    assert step.replays == 3
    assert int(step.players.classifier_optimizer.iterations) == 3
    assert float(metrics["loss_discriminator/real_class"]) == pytest.approx(
        np.mean(losses), rel=1e-4
    )
    assert losses[0] < losses[1] < losses[2]


def test_free_training_needs_two_steps():
    with pytest.raises(ValueError, match="at least 2, not 1"):
        tiny.build(tiny.changed_objective(free=True), attack=ProjectedGradientDescent(0.1, 1, 0.1))


def test_the_radius_warms_up():
    step = tiny.build(tiny.changed_objective(warmup_steps=4))
    radii = [float(step.epsilon(tiny.step_number(number))) for number in (1, 2, 4, 9)]
    assert radii == pytest.approx([0.025, 0.05, 0.1, 0.1])


def test_the_average_follows_the_weights():
    step = tiny.build(average_decay=0.5)
    real, generated = tiny.batches()
    before = values_of(step.players.classifier)
    moved(step, real, generated, number=1)
    # In the first steps the decay is (1 + step) / (10 + step).
    keep = 2.0 / 11.0
    average = step.players.average_classifier
    pairs = zip(average.variables, step.players.classifier.variables, strict=True)
    for averaged, now in pairs:
        expected = keep * before[variable_path(now)] + (1.0 - keep) * np.array(now)
        np.testing.assert_allclose(averaged, expected, rtol=1e-5, atol=1e-7)
    assert step.players.measured is average


def test_a_loss_that_is_not_finite_stops_the_run():
    step = tiny.build()
    step.players.classifier.class_head.kernel.assign(
        np.full(step.players.classifier.class_head.kernel.shape, np.nan, np.float32)
    )
    with pytest.raises(
        NonFiniteError, match="step 7: attack: gradient of the images is not finite"
    ):
        step(*tiny.batches(), tiny.step_number(7))
