"""Builds joint training from settings: players, adversary, step."""

import keras
import tensorflow as tf

from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.losses.adversarial import AdversarialLoss
from robgan_tf.models.building import build_discriminator, build_generator
from robgan_tf.stages.build import build_attack, build_optimizer
from robgan_tf.training.adversary import TrainingAdversary
from robgan_tf.training.joint_gradients import JointPlayers
from robgan_tf.training.joint_step import JointStep


def build_players(
    config: JointConfig, strategy: tf.distribute.Strategy, replays: int = 1
) -> JointPlayers:
    """Builds models and optimizers with all their variables, in the strategy's scope.

    Initial weights are a function of `train.seed`.

    Args:
      config: of the run.
      strategy: the distribution strategy.
      replays: D updates made of each D batch (`TrainingAdversary.replays`).

    Returns:
      JointPlayers.

    Raises:
      UserError: if the widths do not fit the resolution.
    """
    train = config.train
    keras.utils.set_random_seed(train.seed)
    with strategy.scope():
        generator = build_generator(config, "generator")
        average = build_generator(config, "average_generator")
        discriminator = build_discriminator(config, train.precision)
        for averaged, variable in zip(average.variables, generator.variables, strict=True):
            averaged.assign(variable)
        return JointPlayers(
            generator=generator,
            discriminator=discriminator,
            average_generator=average,
            generator_optimizer=build_optimizer(
                config.generator_optimizer, generator.trainable_variables
            ),
            discriminator_optimizer=build_optimizer(
                config.discriminator_optimizer,
                discriminator.trainable_variables,
                train.discriminator_updates * replays,
            ),
        )


def build_adversary(config: JointConfig) -> TrainingAdversary:
    """Builds the adversary of training.

    Raises:
      UserError: if the attack's numbers make no sense, such as a negative radius, or it has
        nothing to maximise.
    """
    adversary = config.adversary
    head = config.discriminator.head
    if adversary.target == "class" and head != "class":
        raise UserError(
            f"TrainingAdversary.target = 'class' has nothing to maximise where "
            f"ResNetDiscriminator.head = {head!r}: bind 'source_and_class' or 'source'"
        )
    try:
        return TrainingAdversary(
            build_attack(adversary.attack, config.attack),
            _loss(config),
            adversary.target,
            adversary.warmup_steps,
            adversary.free,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def build_step(
    config: JointConfig,
    players: JointPlayers,
    adversary: TrainingAdversary,
    strategy: tf.distribute.Strategy,
) -> JointStep:
    """Builds the compiled training step.

    Args:
      config: of the run.
      players: of `build_players`.
      adversary: of `build_adversary`.
      strategy: the distribution strategy in whose scope the players were built.

    Raises:
      UserError: if the adversary cannot be had with micro-batches.
    """
    train = config.train
    try:
        return JointStep(
            players,
            adversary,
            _loss(config),
            strategy=strategy,
            batch_size=train.batch_size,
            generator_batch_size=train.images_in_generator_update,
            discriminator_updates=train.discriminator_updates,
            seed=train.seed,
            average_decay=train.average_decay,
            accumulation_steps=train.accumulation_steps,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def _loss(config: JointConfig) -> AdversarialLoss:
    return AdversarialLoss(**vars(config.loss))
