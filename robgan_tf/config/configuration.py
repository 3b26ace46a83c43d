"""A configuration: the groups of settings of one stage, as plain typed values."""

import dataclasses
import typing
from collections.abc import Iterable, Iterator
from typing import Any, Self

from robgan_tf.config.fields import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Configuration:
    """Base of `JointConfig` and `FinetuneConfig`: named groups of settings."""

    @classmethod
    def group_classes(cls) -> dict[str, type[Settings]]:
        """The class of each group, by the group's name here and in the order shown."""
        hints = typing.get_type_hints(cls)
        return {field.name: hints[field.name] for field in dataclasses.fields(cls)}

    def groups(self) -> Iterator[Settings]:
        """The groups, in the order shown."""
        return (getattr(self, field.name) for field in dataclasses.fields(self))

    def flat(self) -> dict[str, Any]:
        """{"train.steps": 1000, ...}: the form that is stored and compared, named as in gin."""
        return {
            f"{group.gin_name}.{name}": as_stored(value)
            for group in self.groups()
            for name, value in dataclasses.asdict(group).items()
        }

    @classmethod
    def flat_defaults(cls) -> dict[str, Any]:
        """The defaults in the form of `flat`, required settings left out."""
        return {
            f"{kind.gin_name}.{field.name}": as_stored(field.default)
            for kind in cls.group_classes().values()
            for field in dataclasses.fields(kind)
            if field.default is not dataclasses.MISSING
        }

    def with_precision(self, precision: str) -> Self:
        """The same configuration, its networks computing in another precision."""
        return self._with_stage(precision=precision)

    def with_threads(self, threads: str) -> Self:
        """The same configuration, operations sharing the cores in another way."""
        return self._with_stage(threads=threads)

    def as_gin(self) -> str:
        """The text of a gin file with every value spelled out."""
        return as_gin(self.groups())

    def _with_stage(self, **values: Any) -> Self:
        stage = dataclasses.fields(self)[0].name
        return dataclasses.replace(
            self, **{stage: dataclasses.replace(getattr(self, stage), **values)}
        )


def as_gin(groups: Iterable[Settings]) -> str:
    """Writes groups of settings as the text of a gin file, every value spelled out."""
    return "".join(
        f"{group.gin_name}.{name} = {as_stored(value)!r}\n"
        for group in groups
        for name, value in dataclasses.asdict(group).items()
    )


def as_stored(value: Any) -> Any:
    """What JSON gives back of a value."""
    return list(value) if isinstance(value, tuple) else value


def as_markdown(gin_text: str) -> str:
    """Indents the text of a gin file, so that Markdown leaves it as it is."""
    return "\n".join(f"    {line}" for line in gin_text.splitlines())
