"""In what the configurations of runs differ, and what the attack costs where it is all they do."""

import statistics
from collections.abc import Sequence

from robgan_tf.comparison.measures import is_of_features
from robgan_tf.comparison.run import ATTACK_STEPS, Run
from robgan_tf.config import numerics
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.groups import FIRST_READING, READING, TENSORFLOW_THREADS
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.typing import JsonObject

_DATA = ("data.dataset", "data.resolution", "data.channels", "data.num_classes")
_FEATURES = "--features"  # of the train command: name and weights of the network
_ATTACK_SETTINGS = ("ProjectedGradientDescent.", "TrainingAdversary.")
# What changes neither a run's course at a step nor the time of its steps. Names with dashes are
# flags: paths to other runs, which differ from seed to seed. How many replicas a run was made on is
# of rounding.
_COURSE_UNCHANGED_BY = (
    "--",
    "replicas (in use)",
    "gap.",
    "quality.",
    "alarms.",
    "final_evaluation.",
)
_NAMES_UNCHANGED_BY = (
    "threads",  # Of rounding; of times it is looked at apart.
    *("steps", "seed", "log_every", "sample_every", "picture_every"),
    *("checkpoint_every", "keep_checkpoints", "keep_every_hours"),
)


def settings_that_differ(first: Run, second: Run, but_for: Sequence[str] = ()) -> list[str]:
    """Names of settings in which two runs differ and that change their course or speed.

    Args:
      first: a Run.
      second: a Run.
      but_for: beginnings of names that may differ too.

    Returns:
      Sorted list. Seeds, paths, lengths and how often something is measured do not count.
    """
    configs = [_with_defaults(run) for run in (first, second)]
    return sorted(
        name
        for name in set().union(*configs)
        if configs[0].get(name) != configs[1].get(name)
        and not name.startswith((*_COURSE_UNCHANGED_BY, *but_for))
        and not _is_bookkeeping(name)
    )


def _with_defaults(run: Run) -> JsonObject:
    """The settings with those that came into being after the run was made."""
    return {
        **(JointConfig if run.is_joint else FinetuneConfig).flat_defaults(),
        numerics.KEY: numerics.FIRST,
        READING: FIRST_READING,
        **run.config,
    }


def _is_bookkeeping(name: str) -> bool:
    group, _, setting = name.partition(".")
    return group in ("train", "finetune") and setting in _NAMES_UNCHANGED_BY


def refuse_mixed_configurations(runs: Sequence[Run]) -> None:
    """Refuses runs of one name that are not seeds of one configuration.

    Raises:
      UserError: if two runs of one name differ in more than the seed.
    """
    first: dict[str, Run] = {}
    for run in runs:
        differing = settings_that_differ(first.setdefault(run.configuration, run), run)
        if differing:
            raise UserError(
                f"the runs called {run.configuration} are not seeds of one configuration, they "
                f"differ in {', '.join(differing)}: give them names of their own "
                "(--run=NAME=PATH)"
            )


def refuse_other_features(name: str, runs: Sequence[Run]) -> None:
    """Refuses to compare equally named measures of different networks, or of other data.

    Args:
      name: of the measure.
      runs: the Runs.

    Raises:
      UserError: if the measure is of features, and those of two runs are of different networks,
        or the runs of different data.
    """
    if not is_of_features(name):
        return
    for run in runs[1:]:
        differing = [x for x in _DATA if run.config.get(x) != runs[0].config.get(x)]
        if differing:
            raise UserError(
                f"{name} of {runs[0].label} and of {run.label} are of different images (they "
                f"differ in {', '.join(differing)}) and cannot be compared"
            )
    networks: dict[str | None, Run] = {}
    for run in runs:
        networks.setdefault(run.config.get(_FEATURES), run)
    if len(networks) > 1:
        (first, second, *_), (one, other, *_) = networks.values(), networks
        raise UserError(
            f"{name} of {first.label} and of {second.label} are by different networks of one name, "
            f"{one} and {other}, and cannot be compared"
        )


def attack_shares(runs: Sequence[Run]) -> list[JsonObject]:
    """The attack's share of the time of a D update.

    Args:
      runs: Runs.

    Returns:
      List of dicts, one for each two configurations of which one has no attack and that are the
      same but for settings of the attack, threads included; without free adversarial training,
      whose attack has no cost of its own. Times are medians over seeds.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.milliseconds_per_update is not None and not run.is_free:
            groups.setdefault(run.configuration, []).append(run)
    shares = []
    for plain in groups.values():
        if plain[0].config.get(ATTACK_STEPS) != 0:
            continue
        for attacked in groups.values():
            is_pair = attacked[0].config.get(ATTACK_STEPS, 0) > 0
            alike = len({_threads(run) for run in (*plain, *attacked)}) == 1
            differing = settings_that_differ(plain[0], attacked[0], _ATTACK_SETTINGS)
            if is_pair and alike and not differing:
                shares.append(_share(plain, attacked))
    return shares


def _threads(run: Run) -> str:
    name = f"{'train' if run.is_joint else 'finetune'}.threads"
    return str(run.config.get(name, TENSORFLOW_THREADS))


def _share(plain: Sequence[Run], attacked: Sequence[Run]) -> JsonObject:
    without, with_attack = _median_time(plain), _median_time(attacked)
    return {
        "with_attack": attacked[0].configuration,
        "without_attack": plain[0].configuration,
        "attack_steps": attacked[0].config[ATTACK_STEPS],
        "milliseconds_with": with_attack,
        "milliseconds_without": without,
        "share": 1.0 - without / with_attack,
    }


def _median_time(runs: Sequence[Run]) -> float:
    known = (run.milliseconds_per_update for run in runs)
    return statistics.median(time for time in known if time is not None)
