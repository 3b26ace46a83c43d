"""Builds joint training from settings: models, optimizers, adversary, step."""

import keras

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.errors import UserError
from robgan_tf.losses import AdversarialLoss
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator
from robgan_tf.settings import (
    AdversarySettings,
    AttackSettings,
    DataSettings,
    DiscriminatorOptimizerSettings,
    DiscriminatorSettings,
    FinalEvaluationSettings,
    GeneratorOptimizerSettings,
    GeneratorSettings,
    LossSettings,
    TrainSettings,
)
from robgan_tf.training.adversary import TrainingAdversary
from robgan_tf.training.gan_step import GanStep, Players
from robgan_tf.training.learning_rates import StepLearningRate


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
    common = _common(settings, rewritten)
    keras.utils.set_random_seed(train.seed)
    with strategy.scope():
        generator = _build(ResNetGenerator, settings[GeneratorSettings], common, "generator")
        average = _build(ResNetGenerator, settings[GeneratorSettings], common, "average_generator")
        discriminator = build_discriminator(settings, rewritten)
        for averaged, variable in zip(average.variables, generator.variables, strict=True):
            averaged.assign(variable)
        return Players(
            generator=generator,
            discriminator=discriminator,
            average_generator=average,
            generator_optimizer=_optimizer(settings[GeneratorOptimizerSettings], generator, 1),
            discriminator_optimizer=_optimizer(
                settings[DiscriminatorOptimizerSettings],
                discriminator,
                train.discriminator_updates * replays,
            ),
        )


def build_discriminator(settings, rewritten=True):
    """Builds D alone; see `build_players`."""
    return _build(
        ResNetDiscriminator,
        settings[DiscriminatorSettings],
        _common(settings, rewritten),
        "discriminator",
    )


def build_adversary(settings):
    """Builds the adversary of training.

    Raises:
      UserError: if the attack's numbers make no sense, such as a negative radius.
    """
    attack = settings[AttackSettings]
    adversary = settings[AdversarySettings]
    try:
        return TrainingAdversary(
            ProjectedGradientDescent(
                attack.epsilon, attack.steps, attack.step_size, attack.norm, attack.random_start
            ),
            _loss(settings),
            adversary.target,
            adversary.warmup_steps,
            adversary.free,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def build_evaluation_attack(settings):
    """Builds the attack of the final evaluation: steps of epsilon / 5, no random start.

    Raises:
      UserError: if its numbers make no sense.
    """
    wanted = settings[FinalEvaluationSettings]
    try:
        return ProjectedGradientDescent(wanted.epsilon, wanted.attack_steps, wanted.epsilon / 5)
    except ValueError as error:
        raise UserError(f"final_evaluation: {error}") from error


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


def _common(settings, rewritten):
    data = settings[DataSettings]
    return {
        "resolution": data.resolution,
        "channels": data.channels,
        "num_classes": data.num_classes,
        "precision": settings[TrainSettings].precision,
        "rewritten": rewritten,
    }


def _build(model_class, settings, common, name):
    try:
        model = model_class(**common, **vars(settings), name=name)
    except ValueError as error:
        raise UserError(str(error)) from error
    model.build()
    return model


def _loss(settings):
    return AdversarialLoss(**vars(settings[LossSettings]))


def _optimizer(settings, model, updates_per_step):
    rate = StepLearningRate(
        settings.learning_rate,
        settings.schedule,
        halve_every=settings.halve_every,
        decay_start=settings.decay_start,
        decay_end=settings.decay_end,
        updates_per_step=updates_per_step,
    )
    optimizer = keras.optimizers.Adam(rate, settings.beta_1, settings.beta_2)
    # Its variables must exist before the first tf.function is traced.
    optimizer.build(model.trainable_variables)
    return optimizer
