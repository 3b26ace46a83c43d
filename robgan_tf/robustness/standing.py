"""How far the images of an evaluation are attacked: what an interrupted one goes on from."""

import dataclasses
from typing import Self

import numpy as np

from robgan_tf.robustness.outcome import SURVIVED, Outcome

NOT_PREDICTED = -1


@dataclasses.dataclass
class Standing:
    """What is known of N images at a radius; attacks change it in place.

    Attributes:
      predictions: int32 [N], predicted classes of the clean images.
      fooled_by: str [N], as in `Outcome`; "" where no attack has succeeded yet.
      adversarial: float32 [N, H, W, C], as in `Outcome`.
      rounds: int32 [N], how many rounds of attacks each image has been through, those of all
        attacks in order; `NOT_PREDICTED` where not even its clean prediction is known.
      seconds: float64 [N], the time that each has cost.
    """

    predictions: np.ndarray
    fooled_by: np.ndarray
    adversarial: np.ndarray
    rounds: np.ndarray
    seconds: np.ndarray

    @classmethod
    def before(cls, images: np.ndarray) -> Self:
        """That of images [N, H, W, C] of which nothing is known."""
        count = len(images)
        return cls(
            np.zeros(count, np.int32),
            np.full(count, SURVIVED, "<U32"),
            np.array(images, np.float32),
            np.full(count, NOT_PREDICTED, np.int32),
            np.zeros(count),
        )

    def waiting(self, number: int) -> np.ndarray:
        """Positions of the images that are next in round `number`, of all attacks together."""
        return np.flatnonzero((self.fooled_by == SURVIVED) & (self.rounds == number))

    def finished(self, rounds: int) -> np.ndarray:
        """Whether nothing is left to be done of so many rounds, bool [N]."""
        fooled = (self.fooled_by != SURVIVED) & (self.rounds != NOT_PREDICTED)
        return fooled | (self.rounds >= rounds)

    @property
    def outcome(self) -> Outcome:
        """What came out, of which the arrays are shared."""
        return Outcome(
            self.predictions, self.fooled_by, self.adversarial, float(self.seconds.sum())
        )
