"""The residual G of the paper (SN-GAN's ResNet)."""

from typing_extensions import override

from robgan_tf.config.joint import JointConfig
from robgan_tf.models.building import build_model
from robgan_tf.models.generator import ResNetGenerator
from robgan_tf.models.player_networks import GeneratorNetwork


class ResNet(GeneratorNetwork):
    """`ResNetGenerator`, with the settings of that name."""

    @override
    def build(
        self, config: JointConfig, precision: str, name: str, has_classes: bool
    ) -> ResNetGenerator:
        return build_model(
            ResNetGenerator, config.generator, config.data, precision, name, has_classes
        )


CHOICE = ResNet()
