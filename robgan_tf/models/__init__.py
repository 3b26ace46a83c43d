"""The networks: generator, two-headed discriminator, PreActResNet-18."""

from robgan_tf.models.discriminator import ResNetDiscriminator
from robgan_tf.models.generator import ResNetGenerator
from robgan_tf.models.player_networks import DiscriminatorNetwork, GeneratorNetwork
from robgan_tf.models.players import Discriminator, Generator
from robgan_tf.models.preact_resnet import PreActResNet18

__all__ = [
    "Discriminator",
    "DiscriminatorNetwork",
    "Generator",
    "GeneratorNetwork",
    "PreActResNet18",
    "ResNetDiscriminator",
    "ResNetGenerator",
]
