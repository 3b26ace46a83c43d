"""Free adversarial training: a batch is replayed, and each backward pass serves twice."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.randomness import Purpose, derive_seed
from tests import tiny
from tests.training.operations import operations_of_loops
from tests.training.reusable import Reusable, step_tensor

FREE = (
    "train.discriminator_updates = 1",
    "TrainingAdversary.free = True",
    "ProjectedGradientDescent.steps = 2",
)


@pytest.fixture(scope="module")
def free():
    return Reusable(*FREE)


def test_free_adversarial_training_equals_one_written_out(free):
    """One batch replayed twice: each backward pass moves the weights and the images."""
    players, step = free.from_the_start()
    reference, _ = tiny.build(*FREE)
    images, labels = tiny.batch(updates=1)
    metrics = step(images, labels, step_tensor(1))

    discriminator, losses = reference.discriminator, []
    seeds = tf.random.split(derive_seed(0, Purpose.RANDOM_START, 1, 0), 8)
    attacked = step.adversary.attack.start(images[0], seeds, 0.1)
    for replay in range(2):
        latents = tf.random.stateless_normal([8, 16], derive_seed(0, Purpose.LATENTS, 1, replay))
        fake_labels = tf.random.stateless_uniform(
            [8], derive_seed(0, Purpose.LABELS, 1, replay), maxval=10, dtype=tf.int32
        )
        fakes = reference.generator(latents, fake_labels, training=True, update_statistics=False)
        for layer in spectral_normalization_layers(discriminator):
            layer.advance()
        with tf.GradientTape() as tape:
            tape.watch(attacked)
            source, classes = discriminator(attacked)
            loss = tf.reduce_mean(tf.nn.softplus(-source)) + tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels[0], classes)
            )
            loss += tf.reduce_mean(tf.nn.softplus(discriminator(fakes)[0]))
        *gradients, slope = tape.gradient(loss, [*discriminator.trainable_variables, attacked])
        reference.discriminator_optimizer.apply_gradients(
            zip(gradients, discriminator.trainable_variables, strict=True)
        )
        moved = np.array(attacked) + 0.05 * np.sign(slope)
        moved = np.clip(moved, np.array(images[0]) - 0.1, np.array(images[0]) + 0.1)
        attacked = tf.constant(np.clip(moved, -1.0, 1.0))
        losses.append(float(loss))
    assert losses[1] > losses[0]
    assert float(metrics["loss_discriminator/total"]) == pytest.approx(np.mean(losses), rel=1e-5)
    for variable, expected in zip(
        players.discriminator.variables, discriminator.variables, strict=True
    ):
        np.testing.assert_allclose(variable, expected, atol=2e-5)


def test_free_adversarial_training_makes_no_attack_and_counts_its_updates(free):
    players, step = free.from_the_start()
    step(*tiny.batch(updates=1), step_tensor(1))
    assert "attack" not in operations_of_loops(step)
    assert int(players.discriminator_optimizer.iterations) == 2
    assert int(players.generator_optimizer.iterations) == 1
    rate = players.discriminator_optimizer._learning_rate
    assert rate.get_config()["updates_per_step"] == 2


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("TrainingAdversary.target = 'class'", "must be 'source_and_class', not 'class'"),
        ("ProjectedGradientDescent.steps = 1", "needs at least 2, not 1"),
    ],
)
def test_free_adversarial_training_refuses(binding, message):
    with pytest.raises(UserError, match=message):
        tiny.build("TrainingAdversary.free = True", binding)
