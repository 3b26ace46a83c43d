"""The plan of an experiment: every run with its state, the time it will take, and disk."""

import statistics
from collections.abc import Mapping, Sequence

from robgan_tf.reporting import format_duration
from robgan_tf.reporting.markdown import table
from robgan_tf.reproduction.experiment import Experiment
from robgan_tf.reproduction.state import State, megabytes_of

# Two pinned processes of small networks were measured at 1.25 to 1.5 times one that has both cores.
_TWO_PROCESSES = (1.25, 1.5)


def plan(experiment: Experiment, found: Mapping[str, State]) -> str:
    """Writes the plan as a table.

    Args:
      experiment: to be planned.
      found: the state of every run, by its label.
    """
    states = list(found.values())
    seconds = [seconds_left(experiment, state, states) for state in states]
    disk = [_megabytes(experiment, state) for state in states]
    rows = [
        [state.member.label, state.member.plan.title, f"{state.steps:,}", state.shown,
         _time(left), _size(megabytes), state.why_not or "-"]
        for state, left, megabytes in zip(states, seconds, disk, strict=True)
    ]  # fmt: skip
    header = ["run", "what", "steps", "state", "time left", "disk", "note"]
    items = ", ".join(item.replace("_", " ") for item in experiment.items)
    lines = [
        f"{items} on {experiment.dataset}, scale {experiment.scale_name}: {experiment.scale.about}",
        "",
        *table(header, rows),
        "",
        _total(experiment, seconds, disk),
    ]
    return "\n".join(lines)


def commands(found: Mapping[str, State]) -> str:
    """The commands that make what is missing, as they are typed.

    Args:
      found: the state of every run, by its label.
    """
    missing = [job.shown for state in found.values() for job in state.missing]
    return "\n".join(["", "What is missing is made by:", "", *missing]) if missing else ""


def seconds_left(experiment: Experiment, state: State, states: Sequence[State]) -> float | None:
    """How long what is missing of a run will take; None where no speed is known.

    The speed of the run itself counts, else that of its other seeds, else what the experiment's
    file says of the machine that it was measured on.

    Args:
      experiment: of the run.
      state: of the run.
      states: of all runs.
    """
    total = 0.0
    for job in state.missing:
        if job.kind == "training":
            each = state.seconds_per_step if state.step else None
            others = [
                x.seconds_per_step
                for x in states
                if x.member.name == state.member.name and x.seconds_per_step
            ]
            if each is None:
                each = statistics.median(others) if others else state.member.plan.seconds_per_step
            left = None if each is None else each * max(0, state.steps - state.step)
        else:
            scale = experiment.scale
            is_short = job.kind == "train"
            left = scale.train_evaluation_seconds if is_short else scale.evaluation_seconds
        if left is None:
            return None
        total += left
    return total


def _megabytes(experiment: Experiment, state: State) -> float | None:
    """What a run takes on disk once it is done; None where nothing is known of it."""
    scale, run_dir = experiment.scale, experiment.run_dir(state.member)
    total: float = megabytes_of(run_dir) if run_dir.is_dir() else 0.0
    for job in state.missing:
        more = scale.megabytes if job.kind == "training" else scale.evaluation_megabytes
        if more is None:
            return None
        # An evaluation of one radius keeps as much less.
        total += more / len(scale.radii) if job.kind == "train" else more
    return total


def _total(
    experiment: Experiment, seconds: Sequence[float | None], disk: Sequence[float | None]
) -> str:
    known = sum(x for x in seconds if x is not None)
    text = f"In all {_time(known)} one after the other"
    if None in seconds:
        text = (
            f"{text}, and runs of which no speed is known yet" if known else "No speed is known yet"
        )
    elif known:
        low, high = (_time(known / speed) for speed in reversed(_TWO_PROCESSES))
        text += f", {low} to {high} with --jobs=2 on two cores"
    text += f" (speeds where not measured here: {experiment.scale.measured_on})"
    megabytes = [x for x in disk if x is not None]
    return f"{text}; {_size(sum(megabytes))} on disk."


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    return "-" if not seconds else format_duration(seconds)


def _size(megabytes: float | None) -> str:
    return "not known" if megabytes is None else f"{megabytes:,.0f} MB"
