"""The range of pixels that a model wants, where images here are on [-1, 1]."""

import dataclasses

import tensorflow as tf

from robgan_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class InputRange:
    """What a foreign model wants its pixels to be.

    Attributes:
      minimum: what -1 becomes.
      maximum: what 1 becomes.
      mean: one value a channel, subtracted afterwards; empty for none.
      deviation: one value a channel, divided by at last; empty for none.
    """

    minimum: float = -1.0
    maximum: float = 1.0
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.minimum < self.maximum:
            raise UserError(
                f"input range {self.minimum:g},{self.maximum:g}: give the lower value first, "
                "for instance 0,1 (--input_range)"
            )
        if 0.0 in self.deviation:
            raise UserError("a deviation of 0 cannot be divided by (--input_deviation)")

    @property
    def described(self) -> str:
        """What it is, for records; empty where images stay as they are."""
        values = {
            "on": () if self == InputRange() else (self.minimum, self.maximum),
            "mean": self.mean,
            "deviation": self.deviation,
        }
        return " ".join(f"{name} {list(given)}" for name, given in values.items() if given)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Maps images in [-1, 1] to what the model wants."""
        middle, half = (self.minimum + self.maximum) / 2.0, (self.maximum - self.minimum) / 2.0
        scaled = middle + half * images
        if self.mean:
            scaled -= tf.constant(self.mean, images.dtype)
        if self.deviation:
            scaled /= tf.constant(self.deviation, images.dtype)
        return scaled

    def undo(self, pixels: tf.Tensor) -> tf.Tensor:
        """Maps what the model wants back to images in [-1, 1]."""
        middle, half = (self.minimum + self.maximum) / 2.0, (self.maximum - self.minimum) / 2.0
        if self.deviation:
            pixels *= tf.constant(self.deviation, pixels.dtype)
        if self.mean:
            pixels += tf.constant(self.mean, pixels.dtype)
        return (pixels - middle) / half

    def __str__(self) -> str:
        text = f"[{self.minimum:g}, {self.maximum:g}]"
        if self.mean:
            text += f" less the mean {_listed(self.mean)}"
        if self.deviation:
            text += f", over the deviation {_listed(self.deviation)}"
        return text

    @property
    def flags(self) -> str:
        """The flags that ask for it."""
        flags = f"--input_range={self.minimum:g},{self.maximum:g}"
        if self.mean:
            flags += f" --input_mean={_listed(self.mean)}"
        if self.deviation:
            flags += f" --input_deviation={_listed(self.deviation)}"
        return flags


def _listed(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
