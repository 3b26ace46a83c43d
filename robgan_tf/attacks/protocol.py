"""What a protocol of a robustness evaluation is: its attacks, radii and images."""

import abc

from robgan_tf.attacks.search import AttackSearch
from robgan_tf.choices import PROTOCOLS
from robgan_tf.errors import UserError


class EvaluationProtocol(abc.ABC):
    """Which attacks an evaluation runs at a radius, and on what.

    Attributes:
      images: how many are attacked unless another number is asked for; None for all.
      randomised: whether it is for models that answer by chance, which others refuse.
      incomplete: what its results are called where an attack of it was replaced or left out; None
        if they keep its name.
    """

    images: int | None = None
    randomised: bool = False
    incomplete: str | None = None

    @abc.abstractmethod
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        """Builds the attacks, to be run in order on what survives.

        Args:
          epsilon: radius on [-1, 1].
          norm: name of the norm.
          num_classes: of the classifier.

        Raises:
          ValueError: if the radius or the norm makes no sense.
        """

    def extra_radii(self, norm: str) -> tuple[float, ...]:
        """Radii on [-1, 1] that are evaluated whatever others are asked for."""
        del norm
        return ()

    def replaced(self, num_classes: int) -> tuple[str, ...]:
        """A line on each attack that others stand in for, because there are too few classes."""
        del num_classes
        return ()


def title(name: str, complete: bool) -> str:
    """What results of a protocol are called.

    Args:
      name: of the protocol.
      complete: whether all its attacks were made, and their results sound.
    """
    return name if complete else PROTOCOLS.get(name).incomplete or name


def make_attacks(name: str, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
    """Builds the attacks of a protocol.

    Args:
      name: of the protocol.
      epsilon: radius on [-1, 1].
      norm: name of the norm.
      num_classes: of the classifier.

    Returns:
      The attacks, to be run in order on what survives.

    Raises:
      UserError: if there is no such protocol, or the radius or the norm makes no sense.
    """
    try:
        return PROTOCOLS.get(name).attacks(epsilon, norm, num_classes)
    except ValueError as error:
        raise UserError(str(error)) from error
