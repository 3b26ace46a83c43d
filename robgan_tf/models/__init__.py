"""The networks: generator and two-headed discriminator."""

from robgan_tf.models.discriminator import ResNetDiscriminator
from robgan_tf.models.generator import ResNetGenerator

__all__ = ["ResNetDiscriminator", "ResNetGenerator"]
