"""What a masking report is made of: signs of masked gradients, and on what they were measured."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Check:
    """One sign of masked gradients (`masking.masking_report`).

    Attributes:
      name: what holds for an honest model.
      passed: whether it holds.
      figures: what was measured, one line.
    """

    name: str
    passed: bool
    figures: str


@dataclasses.dataclass(frozen=True)
class MaskingReport:
    """The signs of masked gradients of one model.

    Attributes:
      images: one line on the images that the figures are of.
      checks: the signs; none where they were not wanted.
    """

    images: str = ""
    checks: Sequence[Check] = ()
