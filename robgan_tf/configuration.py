"""Reading gin files into settings, and refusing what gin alone would let pass.

gin accepts a scoped binding nobody enters, a macro nobody uses and a value of any type; here
each is an error of one line.
"""

import dataclasses
import importlib.util  # noqa: F401  gin reads importlib.util without importing it.
import os

import gin

from robgan_tf.errors import UserError
from robgan_tf.settings import CONFIGURABLES


def read_settings(gin_files, gin_params, kinds, lowest_bindings=""):
    """Parses gin files and single bindings, and constructs settings classes.

    Bindings of other settings classes than `kinds` are known and let pass, so that a file that
    describes a data set for one command serves the others.

    Args:
      gin_files: paths; later files overlay earlier ones.
      gin_params: bindings such as "train.steps=100"; they overlay the files.
      kinds: the settings classes to construct.
      lowest_bindings: text of a gin file that everything else overlays.

    Returns:
      Dict from the settings class to its instance.

    Raises:
      UserError: if a file does not exist or cannot be read, a binding names nothing, nothing
        uses a binding, a required value is missing, or a value is of a wrong type or range.
    """
    gin.clear_config()
    gin.parse_config(lowest_bindings)
    _parse(gin_files, gin_params)
    _refuse_scoped_bindings()
    settings = {}
    for kind in kinds:
        try:
            settings[kind] = CONFIGURABLES[kind]()
        except UserError as error:
            # gin appends a paragraph of its own to every message.
            raise UserError(str(error).splitlines()[0]) from error
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserError(_missing_value(kind, error)) from error
    _refuse_unused_bindings({kind.gin_name for kind in CONFIGURABLES if kind not in settings})
    return settings


def flat(settings):
    """Flattens settings into {"train.steps": 1000, ...}, the form that is stored and compared.

    Args:
      settings: iterable of settings instances.
    """
    return {
        f"{group.gin_name}.{name}": _as_stored(value)
        for group in settings
        for name, value in dataclasses.asdict(group).items()
    }


def flat_defaults(kinds):
    """The defaults of settings classes in the form of `flat`, required settings left out.

    Args:
      kinds: iterable of settings classes.
    """
    return {
        f"{kind.gin_name}.{field.name}": _as_stored(field.default)
        for kind in kinds
        for field in dataclasses.fields(kind)
        if field.default is not dataclasses.MISSING
    }


def _as_stored(value):
    """What JSON gives back of a value."""
    return list(value) if isinstance(value, tuple) else value


def as_gin(settings):
    """Writes settings as the text of a gin file, every value spelled out.

    Args:
      settings: iterable of settings instances.
    """
    return "".join(f"{name} = {value!r}\n" for name, value in flat(settings).items())


def as_markdown(gin_text):
    """Indents the text of a gin file, so that Markdown leaves it as it is."""
    return "\n".join(f"    {line}" for line in gin_text.splitlines())


def _parse(gin_files, gin_params):
    for path in gin_files:
        if not os.path.isfile(path):
            raise UserError(f"gin file {path} does not exist (--gin_file)")
        _guarded(lambda path=path: gin.parse_config_file(path), f"gin file {path}")
    for binding in gin_params:
        _guarded(lambda binding=binding: gin.parse_config(binding), f"--gin_param={binding}")


def _guarded(parse, where):
    try:
        parse()
    except (
        ValueError,
        SyntaxError,
        TypeError,
        OSError,
        RuntimeError,
        KeyError,
        ImportError,
    ) as error:
        raise UserError(" ".join(f"{where}: {_one_line(error)}".split())) from error


def _one_line(error):
    if isinstance(error, SyntaxError):
        where = f", in {error.text.strip()!r}" if error.text else ""
        reason = str(error.msg).splitlines()[-1].strip()
        return f"{reason}{where}; values are Python literals such as 0.03125, 'name', True, None"
    # A KeyError's text is its quoted argument.
    text = str(error.args[0]) if isinstance(error, KeyError) else str(error)
    return " ".join(text.split())


def _missing_value(kind, error):
    missing = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and not _is_bound(kind.gin_name, field.name)
    ]
    if missing:
        names = ", ".join(f"{kind.gin_name}.{name}" for name in missing)
        return f"{names} has no value: bind it in a gin file (--gin_file) or with --gin_param"
    if "macro()" in str(error):
        return f"a value of {kind.gin_name} refers to a macro (%NAME) that no gin file defines"
    return f"{kind.gin_name}: {_one_line(error)}"


def _is_bound(gin_name, field):
    return any(
        selector.split(".")[-1] == gin_name and field in values
        for (_, selector), values in gin.config._CONFIG.items()
    )


def _refuse_scoped_bindings():
    for (scope, selector), values in gin.config._CONFIG.items():
        if scope and selector != "gin.macro":
            name = f"{scope}/{selector.removeprefix('robgan_tf.')}.{next(iter(values))}"
            raise UserError(f"nothing uses the binding {name}: remove the scope {scope!r}")


def _refuse_unused_bindings(of_others):
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
