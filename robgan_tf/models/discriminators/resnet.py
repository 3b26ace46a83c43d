"""The residual D of the paper, with a class head or a projection."""

from typing_extensions import override

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.joint import JointConfig
from robgan_tf.models.building import build_model
from robgan_tf.models.discriminator import ResNetDiscriminator
from robgan_tf.models.player_networks import DiscriminatorNetwork


class ResNet(DiscriminatorNetwork):
    """`ResNetDiscriminator`, with the settings of that name."""

    @override
    def build(
        self, config: JointConfig | FinetuneConfig, precision: str, name: str
    ) -> ResNetDiscriminator:
        return build_model(ResNetDiscriminator, config.discriminator, config.data, precision, name)


CHOICE = ResNet()
