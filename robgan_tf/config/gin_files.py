"""Reading gin files into settings, and refusing what gin alone would let pass.

gin accepts a scoped binding nobody enters, a macro nobody uses and a value of any type; here
each is an error of one line.
"""

import dataclasses
import functools
import importlib.util  # noqa: F401  gin reads importlib.util without importing it.
import pathlib
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import gin

from robgan_tf.config import gin_statements, shipped
from robgan_tf.config.configuration import Configuration
from robgan_tf.config.fields import Settings
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.joint import JointConfig
from robgan_tf.config.reproduction import PlannedRun, ScaleSettings
from robgan_tf.errors import UserError, shortened

# For `include` within a file; a path on disk goes first there too.
gin.add_config_file_search_path(str(shipped.ROOT))

SomeConfiguration = TypeVar("SomeConfiguration", bound=Configuration)
SomeSettings = TypeVar("SomeSettings", bound=Settings)

CONFIGURABLES = {
    kind: gin.external_configurable(kind, name=kind.gin_name, module="robgan_tf")
    for config_class in (JointConfig, FinetuneConfig)
    for kind in config_class.group_classes().values()
}
CONFIGURABLES |= {
    kind: gin.external_configurable(kind, name=kind.gin_name, module="robgan_tf")
    for kind in (ScaleSettings, PlannedRun)
}


def read_config(
    config_class: type[SomeConfiguration],
    gin_files: Sequence[str],
    gin_params: Sequence[str],
    lowest_bindings: str = "",
    any_choice: bool = False,
) -> SomeConfiguration:
    """Parses gin files and single bindings into the configuration of a stage.

    Bindings of groups of other stages are known and let pass, so that a file that describes a
    data set for one command serves the others.

    Args:
      config_class: `JointConfig` or `FinetuneConfig`.
      gin_files: paths of files on disk or, failing that, of shipped ones, such as
        "gin/quickstart.gin"; later files overlay earlier ones.
      gin_params: bindings such as "train.steps=100"; they overlay the files.
      lowest_bindings: text of a gin file that everything else overlays.
      any_choice: let names pass that only a program outside this package may know (`choices`).

    Returns:
      An instance of `config_class`.

    Raises:
      UserError: if a file does not exist or cannot be read, a binding names nothing, nothing
        uses a binding, a required value is missing, or a value is of a wrong type or range.
    """
    classes = config_class.group_classes()
    groups = _read(gin_files, gin_params, classes.values(), lowest_bindings)
    if not any_choice:
        for group in groups:
            group.check_choices()
    return config_class(**dict(zip(classes, groups, strict=True)))


def read_group(
    group_class: type[SomeSettings], gin_files: Sequence[str], gin_params: Sequence[str] = ()
) -> SomeSettings:
    """Parses gin files and bindings into one group of settings, such as `DataSettings`.

    Args and errors are those of `read_config`.
    """
    (group,) = _read(gin_files, gin_params, [group_class])
    assert isinstance(group, group_class)
    group.check_choices()
    return group


def read_experiment(gin_file: str) -> tuple[ScaleSettings, dict[str, PlannedRun]]:
    """Parses a gin file that describes runs, each in a scope of its name: `gan/run.title = ...`.

    Args:
      gin_file: its path, as for `read_config`.

    Returns:
      (what all have in common, dict from name to run in the order of the file).

    Raises:
      UserError: as `read_config`.
    """
    gin.clear_config()
    _parse([gin_file], [])
    scale = _constructed(ScaleSettings)
    names = [scope for scope, selector in gin.config._CONFIG if selector.endswith(".run") and scope]
    runs = {}
    for name in dict.fromkeys(names):
        with gin.config_scope(name):
            try:
                runs[name] = _constructed(PlannedRun)
            except UserError as error:
                raise UserError(f"gin file {gin_file}: {name}/{error}") from error
    return scale, runs


def _read(
    gin_files: Sequence[str],
    gin_params: Sequence[str],
    kinds: Iterable[type[Settings]],
    lowest_bindings: str = "",
) -> list[Settings]:
    gin.clear_config()
    gin.parse_config(lowest_bindings)
    _parse(gin_files, gin_params)
    _refuse_scoped_bindings()
    groups = [_constructed(kind) for kind in kinds]
    used = {group.gin_name for group in groups}
    _refuse_unused_bindings({kind.gin_name for kind in CONFIGURABLES} - used)
    return groups


def _constructed(kind: type[Settings]) -> Any:
    try:
        return CONFIGURABLES[kind]()
    except UserError as error:
        # gin appends a paragraph of its own to every message.
        raise UserError(str(error).splitlines()[0]) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(_missing_value(kind, error)) from error


def _parse(gin_files: Sequence[str], gin_params: Sequence[str]) -> None:
    for path in gin_files:
        found = shipped.find(path)
        if found is None:
            raise UserError(
                f"gin file {path} does not exist (--gin_file); robgan-tf configs lists those that "
                "come with the package"
            )
        _guarded(functools.partial(_parse_file, found), f"gin file {path}")
    for binding in gin_params:
        _guarded(functools.partial(_parse_text, binding), f"--gin_param={binding}")


def _parse_file(path: pathlib.Path) -> None:
    gin_statements.check_file(path)
    gin.parse_config_file(str(path))


def _parse_text(binding: str) -> None:
    gin_statements.check_text(binding)
    gin.parse_config(binding)


def _guarded(parse: Callable[[], object], where: str) -> None:
    try:
        parse()
    except (
        UserError,
        ValueError,
        SyntaxError,
        TypeError,
        OSError,
        RuntimeError,
        KeyError,
        ImportError,
    ) as error:
        raise UserError(" ".join(f"{where}: {_one_line(error)}".split())) from error


def _one_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        where = f", in {shortened(error.text.strip())!r}" if error.text else ""
        reason = shortened(str(error.msg).splitlines()[-1].strip())
        literals = "0.03125, '8/255' (a radius), 'name', True, None"
        return f"{reason}{where}; values are Python literals such as {literals}"
    # A KeyError's text is its quoted argument.
    text = str(error.args[0]) if isinstance(error, KeyError) else str(error)
    return shortened(" ".join(text.split()))


def _missing_value(kind: type[Settings], error: BaseException) -> str:
    missing = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and not _is_bound(kind.gin_name, field.name)
    ]
    if missing:
        names = ", ".join(f"{kind.gin_name}.{name}" for name in missing)
        return f"{names} has no value: bind it in a gin file (--gin_file) or with --gin_param"
    if isinstance(error, RecursionError):
        return f"a value of {kind.gin_name} refers to a macro (%NAME) that refers to itself"
    if "macro()" in str(error):
        return f"a value of {kind.gin_name} refers to a macro (%NAME) that no gin file defines"
    return f"{kind.gin_name}: {_one_line(error)}"


def _is_bound(gin_name: str, field: str) -> bool:
    return any(
        selector.split(".")[-1] == gin_name and field in values
        for (_, selector), values in gin.config._CONFIG.items()
    )


def _refuse_scoped_bindings() -> None:
    for (scope, selector), values in gin.config._CONFIG.items():
        if scope and selector != "gin.macro":
            name = f"{scope}/{selector.removeprefix('robgan_tf.')}.{next(iter(values))}"
            raise UserError(f"nothing uses the binding {name}: remove the scope {scope!r}")


def _refuse_unused_bindings(of_others: Collection[str]) -> None:
    used = gin.config._OPERATIVE_CONFIG
    for (scope, selector), values in gin.config._CONFIG.items():
        if selector.split(".")[-1] in of_others:
            continue
        for parameter in values:
            if parameter not in used.get((scope, selector), {}):
                name = scope if selector == "gin.macro" else f"{selector}.{parameter}"
                raise UserError(
                    f"nothing uses the binding {name.removeprefix('robgan_tf.')}: remove it, "
                    "or check its name"
                )
