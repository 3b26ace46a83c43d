"""What a network of the finetune command is: a classifier, built from the run's configuration."""

import abc

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.models.network import Network


class ClassifierNetwork(abc.ABC):
    """A network that the finetune command can train.

    Attributes:
      is_discriminator: whether it is the D of joint training, from whose weights it may start.
    """

    is_discriminator: bool = False

    @abc.abstractmethod
    def build(self, config: FinetuneConfig, precision: str, name: str) -> Network:
        """Builds the network with all its variables.

        Args:
          config: of the run: `config.data` has the images' shape and the number of classes.
          precision: of convolutions and activations, "float32" or "bfloat16".
          name: of the model.

        Returns:
          A `Network` called as `ResNetDiscriminator` is, with its `source_head`, its
          `class_head` and its `features`; the source head is not trained.

        Raises:
          UserError: if it cannot be built so.
        """
