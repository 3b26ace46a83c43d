"""What a G or a D that gin files name is: a network built from the run's configuration."""

import abc

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.joint import JointConfig
from robgan_tf.models.players import Discriminator, Generator


class GeneratorNetwork(abc.ABC):
    """A network that can be the G of joint training."""

    @abc.abstractmethod
    def build(self, config: JointConfig, precision: str, name: str, has_classes: bool) -> Generator:
        """Builds the network with all its variables.

        Args:
          config: of the run: `config.data` has the images' shape and the number of classes,
            `config.generator` the settings that are there for every G.
          precision: of convolutions and activations, "float32" or "bfloat16".
          name: of the model.
          has_classes: False where D has no head that knows classes, so that G has none either.

        Raises:
          UserError: if it cannot be built so.
        """


class DiscriminatorNetwork(abc.ABC):
    """A network that can be the D of joint training, and the classifier of stage 2."""

    @abc.abstractmethod
    def build(
        self, config: JointConfig | FinetuneConfig, precision: str, name: str
    ) -> Discriminator:
        """Builds the network with all its variables.

        Args:
          config: of the run, of either stage: `config.data` has the images' shape and the number
            of classes, `config.discriminator` the settings that are there for every D.
          precision: of convolutions and activations, "float32" or "bfloat16".
          name: of the model.

        Returns:
          A `Discriminator`, with the heads that `config.discriminator.head` asks for.

        Raises:
          UserError: if it cannot be built so.
        """
