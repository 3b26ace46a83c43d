"""Builds joint training from settings: players, adversary, step."""

import keras

from robgan_tf.errors import UserError
from robgan_tf.losses import AdversarialLoss
from robgan_tf.models import ResNetGenerator
from robgan_tf.settings import (
    AdversarySettings,
    DataSettings,
    DiscriminatorOptimizerSettings,
    DiscriminatorSettings,
    GeneratorOptimizerSettings,
    GeneratorSettings,
    LossSettings,
    TrainSettings,
)
from robgan_tf.training.adversary import TrainingAdversary
from robgan_tf.training.building import (
    build_attack,
    build_discriminator,
    build_model,
    build_optimizer,
)
from robgan_tf.training.gan_step import GanStep, Players


def build_players(settings, strategy, replays=1, rewritten=True):
    """Builds models and optimizers with all their variables, in the strategy's scope.

    Initial weights are a function of `train.seed`.

    Args:
      settings: dict from settings class to instance.
      strategy: the distribution strategy.
      replays: D updates made of each D batch (`TrainingAdversary.replays`).
      rewritten: False for the models' plain form, to compare with.

    Returns:
      Players.

    Raises:
      UserError: if the widths do not fit the resolution.
    """
    train = settings[TrainSettings]
    keras.utils.set_random_seed(train.seed)
    with strategy.scope():
        generator = build_generator(settings, "generator", rewritten)
        average = build_generator(settings, "average_generator", rewritten)
        discriminator = build_discriminator(settings, train.precision, rewritten)
        for averaged, variable in zip(average.variables, generator.variables, strict=True):
            averaged.assign(variable)
        return Players(
            generator=generator,
            discriminator=discriminator,
            average_generator=average,
            generator_optimizer=build_optimizer(
                settings[GeneratorOptimizerSettings], generator.trainable_variables
            ),
            discriminator_optimizer=build_optimizer(
                settings[DiscriminatorOptimizerSettings],
                discriminator.trainable_variables,
                train.discriminator_updates * replays,
            ),
        )


def build_generator(settings, name="average_generator", rewritten=True, precision=None):
    """Builds G alone, in the run's precision or another; see `build_players`.

    Where D has no head that knows classes, G has none either.
    """
    return build_model(
        ResNetGenerator,
        settings[GeneratorSettings],
        settings[DataSettings],
        precision or settings[TrainSettings].precision,
        name,
        rewritten,
        has_classes=settings[DiscriminatorSettings].head != "none",
    )


def build_adversary(settings):
    """Builds the adversary of training.

    Raises:
      UserError: if the attack's numbers make no sense, such as a negative radius, or it has
        nothing to maximise.
    """
    adversary = settings[AdversarySettings]
    head = settings[DiscriminatorSettings].head
    if adversary.target == "class" and head != "class":
        raise UserError(
            f"TrainingAdversary.target = 'class' has nothing to maximise where "
            f"ResNetDiscriminator.head = {head!r}: bind 'source_and_class' or 'source'"
        )
    try:
        return TrainingAdversary(
            build_attack(settings),
            _loss(settings),
            adversary.target,
            adversary.warmup_steps,
            adversary.free,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def build_step(settings, players, adversary, strategy):
    """Builds the compiled training step."""
    train = settings[TrainSettings]
    return GanStep(
        players,
        adversary,
        _loss(settings),
        strategy=strategy,
        batch_size=train.batch_size,
        discriminator_updates=train.discriminator_updates,
        seed=train.seed,
        average_decay=train.average_decay,
    )


def _loss(settings):
    return AdversarialLoss(**vars(settings[LossSettings]))
