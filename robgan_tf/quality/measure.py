"""What a measure of image quality is: numbers on the features of real and generated images.

No TensorFlow here nor in the modules of `measures`, so that a configuration is checked, and runs
are compared, without loading it.
"""

import abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from typing_extensions import override

from robgan_tf.choices import MEASURES
from robgan_tf.errors import UserError

if TYPE_CHECKING:
    from robgan_tf.quality.image_features import ImageFeatures

LOWER, HIGHER = "lower", "higher"
SPLITS = 10


class Number(NamedTuple):
    """One number that a measure gives.

    Attributes:
      meaning: what it is, for the page of metrics.
      better: `LOWER` or `HIGHER`, whichever is better; None where neither is.
    """

    meaning: str
    better: str | None


@dataclasses.dataclass(frozen=True)
class Compared:
    """Generated images and the real ones that they are compared with.

    Attributes:
      real: ImageFeatures of the real images.
      fake: ImageFeatures of the generated ones, in random order of classes.
      real_rows: features [m, d] of as many real images as are compared one by one.
      fake_rows: features [n, d] of as many generated ones.
      extractor: name of what gave the features.
      real_name: split of the real images, such as "train".
      splits: of the Inception Score.
    """

    real: "ImageFeatures"
    fake: "ImageFeatures"
    real_rows: np.ndarray
    fake_rows: np.ndarray
    extractor: str
    real_name: str
    splits: int = SPLITS

    @property
    def of_sets(self) -> str:
        """The rest of a number's name that all images went into."""
        return self._counts(len(self.real), len(self.fake))

    @property
    def of_pairs(self) -> str:
        """The rest of a number's name that only the rows went into."""
        return self._counts(len(self.real_rows), len(self.fake_rows))

    def _counts(self, real: int, fake: int) -> str:
        return f"{self.extractor}/{self.real_name}{short(real)}-{short(fake)}"


class Measure(abc.ABC):
    """One computation, which gives one number or several.

    A number's full name is its kind, such as "fid", a slash, and what `rest_of_name` gives.

    Attributes:
      numbers: the numbers by kind.
      needs_probabilities: whether it needs class probabilities of generated images, which only
        some extractors give.
    """

    numbers: ClassVar[Mapping[str, Number]]
    needs_probabilities: bool = False

    @abc.abstractmethod
    def compute(self, compared: Compared) -> dict[str, float]:
        """Returns the numbers by kind, the kinds being those of `numbers`."""

    def rest_of_name(self, compared: Compared) -> str:
        """What follows a kind in a number's full name: extractor and counts."""
        return compared.of_sets

    def check_counts(self, real: int, fake: int, splits: int) -> None:
        """Refuses too few images, before any feature is computed.

        Args:
          real: how many real images there are.
          fake: how many generated ones.
          splits: of the Inception Score.

        Raises:
          UserError: if they are too few.
        """
        del real, fake, splits


class RowMeasure(Measure):
    """A measure that compares images one by one, and so takes the rows alone.

    Attributes:
      neighbours: how many others each image must have in its own set.
    """

    neighbours: int = 0

    @override
    def rest_of_name(self, compared: Compared) -> str:
        return compared.of_pairs

    @override
    def check_counts(self, real: int, fake: int, splits: int) -> None:
        if min(real, fake) <= self.neighbours:
            raise UserError(
                f"{min(real, fake)} images are too few for {' and '.join(self.numbers)} with "
                f"{self.neighbours} neighbours"
            )


def measure_of(kind: str) -> Measure | None:
    """The measure that gives a kind of number, such as "fid"; None if none does."""
    measures = (MEASURES.get(name) for name in MEASURES.names())
    return next((measure for measure in measures if kind in measure.numbers), None)


def short(count: int) -> str:
    """50000 as "50k"; 355 as "355"."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)
