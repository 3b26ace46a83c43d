"""Builds models with all their variables from settings."""

from typing import TypeVar

from robgan_tf.config.fields import Settings
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.groups import DataSettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.models.discriminator import ResNetDiscriminator
from robgan_tf.models.network import Network

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
