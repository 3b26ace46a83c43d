"""docs/reference/choices.md, from the folders whose modules are the names that gin takes."""

from robgan_tf.choices import FOLDERS, Choices
from robgan_tf.config.gin_files import CONFIGURABLES
from robgan_tf.reporting.markdown import table

INTRODUCTION = """# Choices

What is chosen by name, and can be added to: each choice is a file of the folder named, and its name
is that of the file. [Adding a choice](../extending/index.md) says how to write one, in this package
or outside it. Written by `python -m tools.reference_docs`.
"""


def text() -> str:
    """Returns the whole page."""
    return "\n".join([INTRODUCTION, *map(_section, FOLDERS.values())])


def _section(choices: Choices) -> str:
    title = f"## {choices.noun[0].upper()}{choices.noun[1:]}: `robgan_tf/{choices.folder}/`"
    module, _, name = choices.contract.partition(":")
    where = _settings_that_take(choices)
    lines = [f"A `{module}.{name}`." + (f" Taken by {', '.join(where)}." if where else "")]
    rows = ((f"`{name}`", line) for name, line in choices.described().items())
    return "\n".join([title, "", *lines, "", *table(["name", "what it is"], rows), ""])


def _settings_that_take(choices: Choices) -> list[str]:
    return [
        f"`{kind.gin_name}.{name}`"
        for kind in CONFIGURABLES
        for name, open_to in kind.open_choices().items()
        if open_to is choices
    ]
