"""Which classes are shown."""

from collections.abc import Sequence

from robgan_tf.data import evenly_spaced_rows
from robgan_tf.errors import UserError

_MOST_NAMED = 20


def choose_classes(
    wanted: Sequence[str] | None, class_names: Sequence[str], most: int
) -> list[int]:
    """Finds the classes that are asked for.

    Args:
      wanted: list of names or of numbers from 0, a name before a number where both fit; empty or
        None for all.
      class_names: names of all classes; empty for a generator without classes.
      most: how many are chosen at most where none are asked for, evenly spaced.

    Returns:
      List of labels in the order asked for; [0] for a generator without classes.

    Raises:
      UserError: if there is no such class.
    """
    if not class_names:
        if wanted:
            raise UserError("this generator has no classes: leave out --classes")
        return [0]
    if not wanted:
        return evenly_spaced_rows(len(class_names), most).tolist()
    return [_label(name, class_names) for name in wanted]


def _label(name: str, class_names: Sequence[str]) -> int:
    if name in class_names:
        return class_names.index(name)
    if name.isdecimal() and int(name) < len(class_names):
        return int(name)
    known = ", ".join(class_names[:_MOST_NAMED])
    more = ", ..." if len(class_names) > _MOST_NAMED else ""
    raise UserError(
        f"class {name!r} does not exist (--classes); there are {known}{more}, or 0 to "
        f"{len(class_names) - 1}"
    )
