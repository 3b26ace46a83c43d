"""The networks: generator, two-headed discriminator, PreActResNet-18."""

from robgan_tf.models.discriminator import ResNetDiscriminator
from robgan_tf.models.generator import ResNetGenerator
from robgan_tf.models.preact_resnet import PreActResNet18

__all__ = ["PreActResNet18", "ResNetDiscriminator", "ResNetGenerator"]
