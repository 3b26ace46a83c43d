"""The measures of metrics.jsonl by name: which there are, which is meant, what is better."""

from collections.abc import Iterable, Sequence

from robgan_tf.comparison.run import Run
from robgan_tf.errors import UserError
from robgan_tf.quality.measure import HIGHER, LOWER, measure_of

_NO_MEASURES = ("step", "count/", "time/")
# Besides those of image quality. Not the other losses of D and G: the lower one is, the more one
# wins.
_LOWER = ("loss_discriminator/real_class", "loss_discriminator/fake_attacked_class")
_HIGHER_KINDS = ("diversity", "accuracy_class")
_HIGHER_ENDINGS = ("_clean", "_attacked")  # of the gap's names; the Lipschitz value has no better


def measures_of(runs: Sequence[Run]) -> list[str]:
    """Names of what was measured in any of the runs, sorted."""
    names = {name for run in runs for record in run.records for name in record}
    return sorted(name for name in names if not name.startswith(_NO_MEASURES))


def kinds_of(names: Iterable[str]) -> list[str]:
    """What names begin with, before the first slash, sorted."""
    return sorted({name.partition("/")[0] for name in names})


def find_measure(given: str, runs: Sequence[Run]) -> str:
    """The full name of a measure.

    Args:
      given: the name or what it begins with.
      runs: the Runs, all of which must have it.

    Returns:
      The name.

    Raises:
      UserError: if no run has such a measure, one lacks it, or several names begin so.
    """
    known = measures_of(runs)
    # "is" is all of is/..., not is_deviation/...; only where nothing is called so it may be cut
    # anywhere.
    stages = (
        lambda name: name == given,
        lambda name: name.startswith(f"{given}/"),
        lambda name: name.startswith(given),
    )
    found = next(filter(None, ([*filter(stage, known)] for stage in stages)), [])
    if not found or not given:
        raise UserError(
            f"--measure={given}: no run has such a measure; there are "
            f"{', '.join(kinds_of(known)) or 'none at all'}"
        )
    if len(found) > 1:
        raise UserError(
            f"--measure={given} is {len(found)} measures, and numbers of different names cannot "
            f"be compared: choose one of {', '.join(found)}"
        )
    (name,) = found
    for run in runs:
        if not any(name in record for record in run.records):
            raise UserError(
                f"--measure={given}: {name} was not measured in {run.label}, which has "
                f"{', '.join(kinds_of(measures_of([run]))) or 'no measures'}"
            )
    return name


def is_of_features(name: str) -> bool:
    """Whether a measure is one of the features of a network."""
    kind = name.partition("/")[0]
    return kind == "diversity" or measure_of(kind) is not None


def better_direction(name: str) -> str | None:
    """Whether "lower" or "higher" values of a measure are better; None if neither is."""
    kind = name.partition("/")[0]
    measure = measure_of(kind)
    if measure is not None:
        return measure.numbers[kind].better
    if name in _LOWER:
        return LOWER
    if kind in _HIGHER_KINDS or (kind == "gap" and name.endswith(_HIGHER_ENDINGS)):
        return HIGHER
    return None
