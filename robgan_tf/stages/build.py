"""Builds from settings what every kind of training needs: models, attack, optimizers."""

from collections.abc import Sequence
from typing import TypeVar

import keras

from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.choices import TRAINING_ATTACKS
from robgan_tf.config.fields import Settings
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.groups import AttackSettings, DataSettings, OptimizerSettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.models import PreActResNet18, ResNetDiscriminator
from robgan_tf.models.network import Network
from robgan_tf.training.learning_rates import StepLearningRate

SomeNetwork = TypeVar("SomeNetwork", bound=Network)


def build_model(
    model_class: type[SomeNetwork],
    own: Settings,
    data: DataSettings,
    precision: str,
    name: str,
    has_classes: bool = True,
) -> SomeNetwork:
    """Builds a model with all its variables.

    Args:
      model_class: a class of `robgan_tf.models`.
      own: the settings of that class.
      data: DataSettings.
      precision: "float32" or "bfloat16".
      name: of the model.
      has_classes: False for a model that knows nothing of the data's classes.

    Raises:
      UserError: if the model cannot be built so, such as widths that do not fit the resolution.
    """
    try:
        model = model_class(
            resolution=data.resolution,
            channels=data.channels,
            num_classes=data.num_classes if has_classes else 0,
            precision=precision,
            name=name,
            **vars(own),
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    model.build()
    return model


def build_discriminator(
    config: JointConfig | FinetuneConfig, precision: str
) -> ResNetDiscriminator:
    """Builds D from the settings of a run; see `build_model`."""
    return build_model(
        ResNetDiscriminator,
        config.discriminator,
        config.data,
        precision,
        "discriminator",
    )


def build_classifier(
    config: FinetuneConfig, name: str = "classifier", precision: str | None = None
) -> Network:
    """Builds the network that `finetune.network` names, in the run's precision or another.

    Args:
      config: of the run.
      name: of the model.
      precision: "float32" or "bfloat16"; that of the run if None.

    Raises:
      UserError: if it cannot be built so, or would have no class head.
    """
    wanted = config.finetune
    head = config.discriminator.head
    if wanted.network == "discriminator" and head != "class":
        raise UserError(
            f"ResNetDiscriminator.head = {head!r} leaves no classifier to train: bind 'class'"
        )
    precision = precision or wanted.precision
    if wanted.network == "discriminator":
        return build_discriminator(config, precision)
    return build_model(
        PreActResNet18,
        config.preact_resnet18,
        config.data,
        precision,
        name,
    )


def build_attack(name: str, settings: AttackSettings) -> TrainingAttack:
    """Builds the attack of training.

    Args:
      name: of the attack.
      settings: AttackSettings.

    Raises:
      UserError: if its numbers make no sense, such as a negative radius.
    """
    try:
        return TRAINING_ATTACKS.get(name)(**vars(settings))
    except ValueError as error:
        raise UserError(str(error)) from error


def build_optimizer(
    settings: OptimizerSettings, variables: Sequence[keras.Variable], updates_per_step: int = 1
) -> keras.optimizers.Optimizer:
    """Builds Adam with all its variables.

    Args:
      settings: OptimizerSettings.
      variables: what it will change.
      updates_per_step: updates it makes in one training step.
    """
    rate = StepLearningRate(
        settings.learning_rate,
        settings.schedule,
        halve_every=settings.halve_every,
        decay_start=settings.decay_start,
        decay_end=settings.decay_end,
        drop_at=settings.drop_at,
        updates_per_step=updates_per_step,
    )
    optimizer = keras.optimizers.Adam(rate, settings.beta_1, settings.beta_2)
    # Its variables must exist before the first tf.function is traced.
    optimizer.build(variables)
    return optimizer
