"""What is asked of an evaluation: attacks, radii and images."""

import dataclasses
from typing import Any

import numpy as np

from robgan_tf.choices import PROTOCOLS
from robgan_tf.data.sources import ImageSource
from robgan_tf.data.subsets import representative_rows
from robgan_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is evaluated, apart from the model.

    Attributes:
      attack: name of a module of `attacks.protocols`.
      epsilons: radii on [-1, 1], above 0.
      norm: name of the norm, such as "linf".
      seed: of all random numbers.
      batch_size: images at a time on each device; changes no result.
      devices: names of devices that share the images, such as "GPU:0"; none for the one that
        TensorFlow chooses. They change no result.
      masking: whether to run the masking report, at the largest of the radii.
      save_images: whether to write adversarial images as npz.
    """

    attack: str
    epsilons: tuple[float, ...]
    norm: str = "linf"
    seed: int = 0
    batch_size: int = 100
    masking: bool = True
    save_images: bool = False
    devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "attack", PROTOCOLS.canonical(self.attack))

    @property
    def radii(self) -> list[float]:
        """The asked radii and those the protocol adds, ascending; those that print alike once."""
        extra = PROTOCOLS.get(self.attack).extra_radii(self.norm)
        return sorted(
            {radius_key(epsilon): epsilon for epsilon in (*extra, *self.epsilons)}.values()
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What determines an outcome, of these."""
        return {
            "attack": self.attack,
            "norm": self.norm,
            "seed": self.seed,
            "radii": [radius_key(epsilon) for epsilon in self.radii],
        }


def radius_key(epsilon: float) -> str:
    """The name of a radius in files."""
    return f"epsilon_{epsilon:g}"


def choose_images(
    source: ImageSource, protocol: Protocol, count: int | None
) -> tuple[np.ndarray, str]:
    """Chooses what to evaluate: all images, or some that stand for all.

    Args:
      source: ImageSource.
      protocol: a Protocol.
      count: how many, or None for the protocol's own number.

    Returns:
      (positions int [N] in stored order, description).

    Raises:
      UserError: if there are fewer images than asked for, or none.
    """
    total = len(source)
    if not total:
        raise UserError("the split holds no images; choose another (--split)")
    source.check_labelled("accuracy under attack needs: choose another split (--split)")
    if count is not None and not 1 <= count <= total:
        raise UserError(f"--images={count}: the split holds {total} images")
    usual = PROTOCOLS.get(protocol.attack).images
    if count is None and usual is not None:
        count = min(usual, total)
    return representative_rows(source.labels, total if count is None else count, source.ids)


def stand_ins(source: ImageSource, positions: np.ndarray) -> str:
    """What is to be said of files that could not be read when these images were fetched."""
    if not source.corrupt_files or source.locations is None:
        return ""
    unreadable = [path for path in source.locations[positions] if path in source.corrupt_files]
    if not unreadable:
        return ""
    return (
        f"; {len(unreadable)} cannot be read, another of the class stands in for each, first "
        f"{unreadable[0]}"
    )
