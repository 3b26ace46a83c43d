"""What a run was begun with against what it is to be continued with."""

import dataclasses
import difflib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from robgan_tf.errors import UserError
from robgan_tf.reporting import format_radius
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.typing import JsonObject

# Keys of config.json that are no settings.
DATA_FOUND = "data (found)"
CHANGES = "changes"
REPLICAS = "replicas (in use)"
NO_SETTINGS = frozenset({DATA_FOUND, CHANGES, REPLICAS})
# Names of what is found out about the data.
IMAGES, CLASS_NAMES = "data.images", "data.class_names"


@dataclasses.dataclass(frozen=True)
class Change:
    """A difference between a run and what it is to be continued with.

    Attributes:
      name: of the setting, or of what was found of the data.
      before: its value there.
      after: its value here.
    """

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = (_shown(self.name, value) for value in (self.before, self.after))
        return f"{self.name} is {before} there and {after} here"

    def from_step(self, step: int) -> JsonObject:
        """As it is recorded, with the first step that is made with it."""
        return {"from_step": step, **dataclasses.asdict(self)}


def changes_of_settings(
    stored: JsonObject, given: JsonObject, grows: str, free: Collection[str]
) -> list[Change]:
    """The settings that differ.

    Args:
      stored: those of the run.
      given: those that it is to be continued with.
      grows: name of the one that may be higher.
      free: names of those that may differ.
    """
    names = sorted({*stored, *given} - NO_SETTINGS - {*free})
    return [
        Change(name, stored.get(name), given.get(name))
        for name in names
        if stored.get(name) != given.get(name)
        and not (name == grows and given[name] > stored.get(name, 0))
    ]


def changes_of_data(
    description: str | None, stored: DataRecord | None, found: DataRecord
) -> list[Change]:
    """What differs in the data.

    Args:
      description: of the images that the run was begun on; None of a new run.
      stored: what the run says of its data; None where an earlier version began it.
      found: what is there now.
    """
    changes = []
    if description not in (None, found.description):
        changes.append(Change(IMAGES, description, found.description))
    if stored is None:
        return changes
    if not changes and stored.fingerprint and stored.fingerprint != found.fingerprint:
        changes.append(Change(IMAGES, stored.fingerprint, found.fingerprint))
    if stored.class_names != found.class_names:
        changes.append(Change(CLASS_NAMES, list(stored.class_names), list(found.class_names)))
    return changes


def check_allowed(allowed: Iterable[str], known: Collection[str]) -> None:
    """Refuses names in --allow_config_change that are none.

    Raises:
      UserError: naming the nearest that there is.
    """
    known = [*known, IMAGES, CLASS_NAMES]
    for name in allowed:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "config.json of the run has them"
            raise UserError(f"--allow_config_change={name}: there is no such setting; {hint}")


def as_comments(changes: Iterable[JsonObject], replicas: Sequence[JsonObject]) -> str:
    """The recorded changes as comments of a gin file: its values are those of the end."""
    lines = [
        f"# From step {change['from_step']} on: {change['name']} = {change['after']!r} "
        f"(before: {change['before']!r})\n"
        for change in changes
    ]
    lines += [
        f"# From step {entry['from_step']} on: on {entry['count']} replica(s)\n"
        for entry in replicas[1:]
    ]
    return "".join(lines)


def _shown(name: str, value: Any) -> str:
    if name == CLASS_NAMES:
        return ", ".join(map(str, value[:20])) + (", ..." if len(value) > 20 else "")
    # An optimizer's epsilon is no radius.
    is_radius = name.endswith((".epsilon", ".step_size")) and "optimizer" not in name
    return format_radius(value) if is_radius and value is not None else repr(value)
