"""A joint training run small enough for a unit test, with every part of it switched on."""

import tensorflow as tf

from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.stages.build_joint import build_adversary, build_players, build_step
from robgan_tf.training.distribution import make_strategy

BINDINGS = (
    "train.steps = 4",
    "train.batch_size = 8",
    "train.discriminator_updates = 2",
    "data.dataset = 'digits'",
    "data.resolution = 16",
    "data.channels = 1",
    "data.num_classes = 10",
    "data.validation_examples = 20",
    "ResNetGenerator.base_width = 4",
    "ResNetGenerator.widths = '2; 2, 1'",
    "ResNetGenerator.latent_size = 16",
    "ResNetDiscriminator.base_width = 4",
    "ResNetDiscriminator.widths = '1, 2'",
    "gap.every = 0",
    "ProjectedGradientDescent.epsilon = 0.1",
    "ProjectedGradientDescent.steps = 2",
    "ProjectedGradientDescent.step_size = 0.05",
    "ProjectedGradientDescent.random_start = True",
)


def config(*bindings):
    """Configuration of the tiny run with further bindings over them."""
    return read_config(JointConfig, [], [*BINDINGS, *bindings])


def build(*bindings, strategy=None):
    """Builds the tiny run's players and step."""
    values = config(*bindings)
    strategy = strategy or make_strategy("single_device")
    adversary = build_adversary(values)
    players = build_players(values, strategy, adversary.replays)
    return players, build_step(values, players, adversary, strategy)


def batch(updates=2, size=8):
    """Images and labels of one step, smooth enough to be learnt from."""
    labels = tf.reshape(tf.range(updates * size) % 10, [updates, size])
    noise = tf.random.stateless_uniform([updates, size, 16, 16, 1], [1, 2], -0.2, 0.2)
    shade = tf.cast(labels, tf.float32)[..., None, None, None] / 9.0 * 1.4 - 0.7
    return shade + noise, labels
