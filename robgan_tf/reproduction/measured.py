"""Which evaluations of accuracy under attack a run or its record has, by what they are of."""

import re
from collections.abc import Mapping, Sequence

from robgan_tf.typing import JsonObject

# As `evaluate robustness` names its results.
_NAME = re.compile(r"robustness_published_(test|train)(_\d+_images)?(_epsilon_[\w.]+)?(_best_\d+)?")


def kind_of(name: str) -> str | None:
    """What an evaluation is of, by its file's name: "last", "best" or "train"; None of others."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    is_best = found[4] is not None
    if found[1] == "train":
        return None if is_best else "train"
    return "best" if is_best else "last"


def find(
    evaluations: Mapping[str, JsonObject], kind: str, radii: Sequence[float]
) -> JsonObject | None:
    """The evaluation of a kind that has all radii; None if there is none.

    Args:
      evaluations: by name.
      kind: "last", "best" or "train".
      radii: that it has to have.
    """
    for name, evaluation in evaluations.items():
        if kind_of(name) == kind and {*radii} <= {x["epsilon"] for x in evaluation["radii"]}:
            return evaluation
    return None
