"""Builds models with all their variables from settings."""

from typing import TypeVar

from robgan_tf.choices import DISCRIMINATORS, GENERATORS
from robgan_tf.config.fields import Settings
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.groups import DataSettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.models.network import Network
from robgan_tf.models.players import Discriminator, Generator

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


def build_generator(
    config: JointConfig, name: str = "average_generator", precision: str | None = None
) -> Generator:
    """Builds the G that `train.generator` names, in the run's precision or another.

    Where D has no head that knows classes, G has none either.

    Args:
      config: of the run.
      name: of the model.
      precision: "float32" or "bfloat16"; that of the run if None.

    Raises:
      UserError: if it cannot be built so.
    """
    return GENERATORS.get(config.train.generator).build(
        config,
        precision or config.train.precision,
        name,
        has_classes=config.discriminator.head != "none",
    )


def build_discriminator(config: JointConfig | FinetuneConfig, precision: str) -> Discriminator:
    """Builds the D that `train.discriminator`, or `finetune.discriminator`, names.

    Args:
      config: of the run.
      precision: "float32" or "bfloat16".

    Raises:
      UserError: if it cannot be built so, or has not the head that the settings ask for.
    """
    chosen, head = config.stage.discriminator, config.discriminator.head
    model = DISCRIMINATORS.get(chosen).build(config, precision, "discriminator")
    if (model.class_head is not None) != (head == "class"):
        has = "no class head" if model.class_head is None else "a class head"
        raise UserError(
            f"the discriminator {chosen!r} has {has}, and ResNetDiscriminator.head = {head!r}"
        )
    return model
