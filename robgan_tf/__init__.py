"""Rob-GAN for TensorFlow: generator, discriminator and attacker trained together.

Liu and Hsieh, "Rob-GAN: Generator, Discriminator, and Adversarial Attacker",
CVPR 2019.
"""

from robgan_tf.choices import register

__all__ = ["register"]

__version__ = "0.2.0"
