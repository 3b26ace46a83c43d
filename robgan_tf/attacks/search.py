"""What an attack of an evaluation is: `PGDSearch`, `AutoPGD`, `SquareSearch`, or another."""

from collections.abc import Hashable, Sequence
from typing import Protocol, Self, TypeGuard

import tensorflow as tf

from robgan_tf.typing import LogitsFunction


class AttackSearch(Protocol):
    """Looks for adversarial images, in several rounds on those images that still withstand."""

    @property
    def name(self) -> str:
        """What tables call it, at most 32 characters."""

    @property
    def rounds(self) -> int:
        """How often it can be called on an image with another result."""

    def __call__(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor = 0,
    ) -> tf.Tensor:
        """Attacks a batch once.

        Args:
          logits_fn: function from images [N, H, W, C] to logits [N, K], in inference mode.
          images: [N, H, W, C] in [-1, 1].
          labels: [N] integers.
          seeds: [N, 2] integers, a seed a sample.
          round_number: which round this is, 0 to `rounds` - 1; an integer or a scalar tensor.

        Returns:
          Adversarial images of the same shape, in the ball around the images and in [-1, 1].
        """


def queries_of(attack: AttackSearch) -> int:
    """How often a round asks for the logits of one image at most; 1 of an attack that does not say.

    It says so by an attribute `queries`.
    """
    return int(getattr(attack, "queries", 1))


class NumberedSearch(AttackSearch, Protocol):
    """An attack whose compiled form is that of all which differ from it in numbers only."""

    @property
    def form(self) -> Hashable:
        """What its graph depends on beside the numbers. Name and rounds are not of it."""

    @property
    def numbers(self) -> tuple[float, ...]:
        """Such as radius and number of steps: an int where it counts, otherwise a float."""

    def with_numbers(self, numbers: Sequence[tf.Tensor]) -> Self:
        """Returns a copy that is called with scalars, float32 or int32, in place of `numbers`."""


def is_numbered(attack: AttackSearch) -> TypeGuard[NumberedSearch]:
    """Whether an attack's class itself says what its form is.

    A subclass may depend on more than the class that it is made of, whose form is not its own.
    """
    return "form" in vars(type(attack))
