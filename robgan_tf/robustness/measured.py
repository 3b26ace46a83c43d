"""What came out of the evaluation of one classifier, and what is to be said of it."""

import dataclasses

import numpy as np

from robgan_tf.attacks.protocol import title
from robgan_tf.robustness.outcome import Outcome
from robgan_tf.robustness.signs import MaskingReport
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.table import Row, summary


@dataclasses.dataclass
class Measured:
    """What is known of a classifier; an evaluation adds to it, radius by radius.

    Attributes:
      classifier: the Classifier.
      warnings: lines that belong beside the figures.
      replaced: a line on each attack that another stood in for.
      left_out: a line on each attack whose results were not sound.
      outcomes: Outcome of each radius; radius 0 is the clean images.
      norms: float64 [N] of each radius, norms of the perturbations.
      attacks: names of the sound attacks of each radius, in order.
      redrawn: of each radius, where a model randomises: mean accuracy over fresh draws.
      masking: the MaskingReport.
    """

    classifier: Classifier
    warnings: list[str]
    replaced: tuple[str, ...] = ()
    left_out: list[str] = dataclasses.field(default_factory=list)
    outcomes: dict[float, Outcome] = dataclasses.field(default_factory=dict)
    norms: dict[float, np.ndarray] = dataclasses.field(default_factory=dict)
    attacks: dict[float, list[str]] = dataclasses.field(default_factory=dict)
    redrawn: dict[float, float] = dataclasses.field(default_factory=dict)
    masking: MaskingReport = dataclasses.field(default_factory=MaskingReport)

    def warn(self, line: str) -> None:
        """Says a warning, now and beside the figures."""
        print(f"  warning: {line}", flush=True)
        self.warnings.append(line)

    def called(self, protocol: str) -> str:
        """What results of a protocol are called: its name, if all of it was made."""
        return title(protocol, not self.replaced and not self.left_out)

    @property
    def rows(self) -> list[Row]:
        """Those of the table, one a radius."""
        rows = summary(self.outcomes, self.attacks)
        for row in rows:
            if row["epsilon"] in self.redrawn:
                row["accuracy_redrawn"] = self.redrawn[row["epsilon"]]
        return rows
