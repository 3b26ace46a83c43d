"""Fields of settings: what each means and takes, and the checks that hold it to that."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from robgan_tf.choices import Choices
from robgan_tf.errors import UserError
from robgan_tf.units import parse_radius

REQUIRED = dataclasses.MISSING

# Of the --seed of commands: what a 64-bit integer of TensorFlow holds.
LARGEST_SEED = 2**63 - 1


def setting(
    meaning: str,
    default: Any = REQUIRED,
    *,
    minimum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[Any] | Choices | None = None,
    radius: bool = False,
) -> Any:
    """A field of a settings class: what it means and the range of values it takes.

    `choices` is a tuple, or a `Choices`: then programs outside this package may add some, and
    only `Settings.check_choices` holds the field to them. A `radius` is a float on the scale of
    images, [-1, 1]; it may be written as a string "k/255", of the [0, 1] scale, too.

    Args:
      meaning: for the reference page; starts after the field's name.
      default: its value where nothing is bound; without one a value is required.
      minimum: the lowest value.
      above: a value that it must exceed.
      below: a value that it must stay below.
      choices: the values it takes.
      radius: whether it is a radius.
    """
    metadata = {
        "radius": radius,
        "meaning": meaning,
        "minimum": minimum,
        "above": above,
        "below": below,
        "choices": choices,
    }
    if default is REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: checks every field when constructed.

    Raises:
      UserError: if a value is of the wrong type or outside its range.
    """

    gin_name: typing.ClassVar[str]

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            name = f"{self.gin_name}.{field.name}"
            if field.metadata["radius"] and isinstance(value, str):
                value = _parsed_radius(name, value)
            value = _checked_type(name, value, hints[field.name])
            if value is not None:
                _check_range(name, value, field.metadata)
            object.__setattr__(self, field.name, value)

    def check_choices(self) -> None:
        """Holds fields to choices that programs outside this package may add to.

        Apart from the construction, since a finished run can be opened for its models without
        the program that brought its loss.

        Raises:
          UserError: if a name does not exist.
        """
        for name, choices in self.open_choices().items():
            if getattr(self, name) not in choices:
                raise UserError(f"{self.gin_name}.{name} = {choices.unknown(getattr(self, name))}")

    @classmethod
    def open_choices(cls) -> dict[str, Choices]:
        """The fields that name such a choice, and the choices."""
        return {
            field.name: field.metadata["choices"]
            for field in dataclasses.fields(cls)
            if isinstance(field.metadata["choices"], Choices)
        }


def _parsed_radius(name: str, value: Any) -> float:
    try:
        return parse_radius(value)
    except ValueError as error:
        raise UserError(f"{name} = {error}") from error


def _checked_type(name: str, value: Any, expected: Any) -> Any:
    """Returns the value, an int made a float where a float is due; otherwise complains."""
    optional = isinstance(expected, types.UnionType)
    if optional:
        if value is None:
            return None
        expected = next(kind for kind in typing.get_args(expected) if kind is not type(None))
    if expected is float and type(value) is int:
        return float(value)
    if expected is tuple and type(value) is list:
        return tuple(value)
    if type(value) is not expected:
        kinds = {int: "a whole number", float: "a number", bool: "True or False", str: "a string"}
        kinds[tuple] = "a tuple such as (1000, 2000)"
        raise UserError(
            f"{name} = {value!r} is a {type(value).__name__}; it takes {kinds[expected]}"
            + (" or None" if optional else "")
        )
    return value


def _check_range(name: str, value: Any, limits: Mapping[str, Any]) -> None:
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise UserError(f"{name} = {value} is not a finite number")
    closed = isinstance(limits["choices"], tuple)
    if closed and value not in limits["choices"]:
        known = ", ".join(repr(choice) for choice in limits["choices"])
        raise UserError(f"{name} = {value!r} does not exist; choose one of {known}")
    if limits["minimum"] is not None and value < limits["minimum"]:
        raise UserError(f"{name} = {value} is too low; it must be at least {limits['minimum']}")
    if limits["above"] is not None and value <= limits["above"]:
        raise UserError(f"{name} = {value} is too low; it must be above {limits['above']}")
    if limits["below"] is not None and value >= limits["below"]:
        raise UserError(f"{name} = {value} is too high; it must be below {limits['below']}")
