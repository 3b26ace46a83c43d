"""The D of joint training with its class head (Rob-GAN's classifier)."""

from typing_extensions import override

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.errors import UserError
from robgan_tf.models.building import build_discriminator
from robgan_tf.models.classifier_network import ClassifierNetwork
from robgan_tf.models.network import Network


class Discriminator(ClassifierNetwork):
    """The D that `finetune.discriminator` names."""

    is_discriminator = True

    @override
    def build(self, config: FinetuneConfig, precision: str, name: str) -> Network:
        del name
        head = config.discriminator.head
        if head != "class":
            raise UserError(
                f"ResNetDiscriminator.head = {head!r} leaves no classifier to train: bind 'class'"
            )
        return build_discriminator(config, precision)


CHOICE = Discriminator()
