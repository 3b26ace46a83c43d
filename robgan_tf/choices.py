"""Choices that are files: what a gin file may name, each one module of a folder.

The names of a folder's modules are the names that gin takes. They are listed from the folder
without importing anything, so that a setting is checked before TensorFlow is loaded; a module is
imported when its name is asked for, and its `CHOICE` is what the name stands for.

Programs outside this package add choices by `register`: a file given as `--extension`, or an
installed package with an entry point of the group `robgan_tf.extensions`, which is imported
when a name is not known otherwise.
"""

import ast
import dataclasses
import functools
import importlib
import importlib.metadata
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, overload

from robgan_tf.errors import UserError

ENTRY_POINTS = "robgan_tf.extensions"
_PACKAGE = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class _Registered:
    """What `register` was given, and the extension that was being loaded, if one was."""

    choice: Any
    owner: str | None


_registered: dict[tuple[str, str], _Registered] = {}
_origins: dict[tuple[str, str], str] = {}
_owner: str | None = None


@dataclasses.dataclass(frozen=True)
class Choices:
    """The alternatives of one folder of this package, and those that were registered for it.

    Attributes:
      folder: of the modules, such as "losses/source".
      noun: what one is called in messages, such as "source loss".
      contract: "module:class" that every choice is an instance of.
      separator: what stands in names where a module's name has an underscore.
      are_classes: whether a choice is a class, built from settings, and not an instance.
    """

    folder: str
    noun: str
    contract: str
    separator: str = "_"
    are_classes: bool = False

    def shipped(self) -> tuple[str, ...]:
        """The names of this package's own choices, sorted; nothing is imported."""
        return tuple(self._files())

    def names(self) -> tuple[str, ...]:
        """All names, this package's own first; imports what installed packages add."""
        _load_entry_points()
        added = sorted(name for folder, name in _registered if folder == self.folder)
        return (*self.shipped(), *added)

    def described(self) -> dict[str, str]:
        """From the name of each of this package's own choices to the first line on it."""
        return {
            name: (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
            for name, path in self._files().items()
        }

    def __contains__(self, name: object) -> bool:
        """Whether a name exists; imports what installed packages add if it is not known."""
        if name in self._files() or (self.folder, name) in _registered:
            return True
        _load_entry_points()
        return (self.folder, name) in _registered

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def get(self, name: str) -> Any:
        """What a name stands for.

        Raises:
          UserError: if the name does not exist; the message lists those that do.
        """
        if name not in self:
            raise UserError(f"the {self.noun} {self.unknown(name)}")
        if name not in self._files():
            return _registered[self.folder, name].choice
        return self._import(name).CHOICE

    def canonical(self, name: str) -> str:
        """The name of the choice that is meant, whether with dashes or underscores."""
        if name in self:
            return name
        alike = {"_": "-", "-": "_"}[self.separator]
        other = name.replace(alike, self.separator)
        return other if other in self else name

    def unknown(self, name: str) -> str:
        """The end of a message about a name that does not exist, which it begins with."""
        known = ", ".join(repr(choice) for choice in self.names())
        return f"{name!r} does not exist; choose one of {known}{self.origin(name)}"

    def origin(self, name: str) -> str:
        """Where a name that does not exist came from, in parentheses; empty if not known."""
        origin = _origins.get((self.folder, name))
        return f" ({origin})" if origin else ""

    def check_contract(self, name: str, choice: Any) -> None:
        """Raises UserError unless a choice is of the folder's class, or a subclass of it."""
        module, _, attribute = self.contract.partition(":")
        contract = getattr(importlib.import_module(module), attribute)
        fits = isinstance(choice, type) and issubclass(choice, contract)
        if not self.are_classes:
            fits = isinstance(choice, contract)
        if not fits:
            kind = "a subclass" if self.are_classes else "an instance"
            raise UserError(
                f"the {self.noun} {name!r} is a {type(choice).__name__}; it must be {kind} of "
                f"{module}.{attribute}"
            )

    def _files(self) -> dict[str, pathlib.Path]:
        paths = sorted((_PACKAGE / self.folder).glob("[!_]*.py"))
        return {path.stem.replace("_", self.separator): path for path in paths}

    def _import(self, name: str) -> Any:
        folder = self.folder.replace("/", ".")
        return importlib.import_module(f"robgan_tf.{folder}.{self._files()[name].stem}")


SOURCE_LOSSES = Choices("losses/source", "source loss", "robgan_tf.losses.source_loss:SourceLoss")
OBJECTIVES = Choices(
    "losses/objective",
    "objective of stage 2",
    "robgan_tf.losses.training_objective:TrainingObjective",
    are_classes=True,
)
NORMS = Choices("attacks/norms", "norm", "robgan_tf.attacks.norm:Norm")
PROTOCOLS = Choices(
    "attacks/protocols", "attack", "robgan_tf.attacks.protocol:EvaluationProtocol", separator="-"
)
TRAINING_ATTACKS = Choices(
    "attacks/training",
    "attack of training",
    "robgan_tf.attacks.training_attack:TrainingAttack",
    are_classes=True,
)
DATASETS = Choices("data/datasets", "kind of data set", "robgan_tf.data.dataset_kind:DatasetKind")
NETWORKS = Choices(
    "models/classifiers",
    "network",
    "robgan_tf.models.classifier_network:ClassifierNetwork",
)
GENERATORS = Choices(
    "models/generators",
    "generator",
    "robgan_tf.models.player_networks:GeneratorNetwork",
)
DISCRIMINATORS = Choices(
    "models/discriminators",
    "discriminator",
    "robgan_tf.models.player_networks:DiscriminatorNetwork",
)
SCHEDULES = Choices(
    "training/schedules", "schedule of learning rates", "robgan_tf.training.schedule:Schedule"
)
MEASURES = Choices("quality/measures", "measure", "robgan_tf.quality.measure:Measure")

FOLDERS = {
    choices.folder: choices
    for choices in (
        SOURCE_LOSSES,
        OBJECTIVES,
        NORMS,
        PROTOCOLS,
        TRAINING_ATTACKS,
        DATASETS,
        GENERATORS,
        DISCRIMINATORS,
        NETWORKS,
        SCHEDULES,
        MEASURES,
    )
}


@overload
def register(folder: str, name: str) -> Callable[[type], type]: ...
@overload
def register(folder: str, name: str, choice: Any) -> None: ...
def register(folder: str, name: str, choice: Any = None) -> Callable[[type], type] | None:
    """Adds a choice under a name that gin files may then use.

        robgan_tf.register("losses/source", "my_loss", MyLoss())

    or, of a class that is built without arguments (an attack of training and an objective are the
    class itself),

        @robgan_tf.register("losses/source", "my_loss")
        class MyLoss(SourceLoss): ...

    Args:
      folder: the kind of choice, one of `choices.FOLDERS`.
      name: what gin files call it.
      choice: what the name stands for; None to decorate its class.

    Raises:
      UserError: if there is no such kind, the name is taken or the choice is no instance of
        the kind's class.
    """
    if folder not in FOLDERS:
        raise UserError(
            f"there are no choices of the kind {folder!r}; choose one of {', '.join(FOLDERS)}"
        )
    if choice is None:
        return functools.partial(_register_class, folder, name)
    choices = FOLDERS[folder]
    choices.check_contract(name, choice)
    if name in choices.shipped() or (folder, name) in _registered:
        raise UserError(f"the {choices.noun} {name!r} exists already; register it by another name")
    _registered[folder, name] = _Registered(choice, _owner)
    return None


def _register_class(folder: str, name: str, kind: type) -> type:
    register(folder, name, kind if FOLDERS[folder].are_classes else kind())
    return kind


def registered_by(owner: str) -> list[tuple[str, str]]:
    """The (folder, name) of each choice that an extension has registered."""
    return [key for key, value in _registered.items() if value.owner == owner]


def as_owner(owner: str, program: Callable[[], Any]) -> None:
    """Runs a program; what it registers is its owner's, until `forget`."""
    global _owner
    before, _owner = _owner, owner
    try:
        program()
    finally:
        _owner = before


def forget_owned() -> None:
    """Takes back what programs with an owner have registered."""
    for key in [key for key, value in _registered.items() if value.owner is not None]:
        del _registered[key]


def explain_missing(folder: str, name: str, origin: str) -> None:
    """Says where a name comes from, for the message that it does not exist."""
    _origins[folder, name] = origin


@functools.cache
def _load_entry_points() -> None:
    """Imports the modules that installed packages name as extensions, once in a process."""
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        # Whatever another package's code raises, the remedy is the same.
        except Exception as error:
            raise UserError(
                f"the extension {entry.name} of an installed package ({entry.value}) cannot be "
                f"imported: {type(error).__name__}: {error}"
            ) from error
