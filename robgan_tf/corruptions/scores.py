"""Accuracies on corrupted images, and the mean corruption error."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from robgan_tf.errors import UserError
from robgan_tf.robustness.outcome import confidence_interval

# Accuracy of a kind, then of a severity.
Accuracies = Mapping[str, Mapping[int, float]]


@dataclasses.dataclass(frozen=True)
class Score:
    """What a classifier makes of one set.

    Attributes:
      kind: of the corruption.
      severity: from 1.
      accuracy: share of the images that are classified correctly.
      images: how many there are.
      digest: of images and labels.
    """

    kind: str
    severity: int
    accuracy: float
    images: int
    digest: str

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        return confidence_interval(self.accuracy, self.images)


def of_kinds(scores: Sequence[Score]) -> dict[str, dict[int, float]]:
    """Accuracies by kind and severity, in the order given."""
    found: dict[str, dict[int, float]] = {}
    for score in scores:
        found.setdefault(score.kind, {})[score.severity] = score.accuracy
    return found


def mean_error(accuracies: Accuracies) -> float:
    """The mean corruption error, unnormalised: the mean over kinds of the mean over severities.

    It is 1 less the mean accuracy that RobustBench ranks by.
    """
    return float(np.mean([1.0 - np.mean(list(of.values())) for of in accuracies.values()]))


def relative_errors(accuracies: Accuracies, baseline: Accuracies) -> dict[str, float]:
    """CE of each kind: errors summed over severities, relative to those of a baseline.

    Their mean is the mCE of Hendrycks and Dietterich (ICLR 2019), whose baseline is AlexNet.

    Args:
      accuracies: of the classifier.
      baseline: of another on the same sets.

    Raises:
      UserError: if the sets differ, or the baseline makes no error on one.
    """
    sets = {(kind, severity) for kind, of in accuracies.items() for severity in of}
    theirs = {(kind, severity) for kind, of in baseline.items() for severity in of}
    if sets != theirs:
        kind, severity = sorted(sets ^ theirs)[0]
        raise UserError(
            f"the baseline is of other sets: {kind} at severity {severity} is in one of the two"
        )
    errors = {}
    for kind, of in accuracies.items():
        whole = sum(1.0 - accuracy for accuracy in baseline[kind].values())
        if whole <= 0.0:
            raise UserError(f"the baseline makes no error on {kind}: nothing is relative to that")
        errors[kind] = sum(1.0 - accuracy for accuracy in of.values()) / whole
    return errors
