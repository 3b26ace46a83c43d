"""docs/reference/configuration.md, from the settings classes."""

import dataclasses

from robgan_tf.choices import Choices
from robgan_tf.config.fields import Settings
from robgan_tf.config.gin_files import CONFIGURABLES
from robgan_tf.reporting.markdown import table

INTRODUCTION = """# Configuration

Every setting that a gin file or `--gin_param` can bind, from the groups of settings in
`robgan_tf/config/`. Radii and step sizes are on images in [-1, 1]. Written by
`python -m tools.reference_docs`.
"""


def text() -> str:
    """Returns the whole page."""
    sections = [INTRODUCTION]
    for kind in CONFIGURABLES:
        rows = [_row(kind, field) for field in dataclasses.fields(kind)]
        summary = (kind.__doc__ or "").split(": ", 1)[-1].split("\n")[0]
        title = f"## {kind.gin_name}\n\n"
        if not summary.startswith("`"):
            title += f"{summary[0].upper()}{summary[1:]}\n\n"
        lines = table(["setting", "default", "meaning"], rows)
        sections.append(title + "\n".join([*lines, ""]))
    return "\n".join(sections)


def _row(kind: type[Settings], field: dataclasses.Field) -> tuple[str, str, str]:
    required = field.default is dataclasses.MISSING
    default = "*required*" if required else f"`{field.default!r}`"
    meaning = field.metadata["meaning"]
    choices = field.metadata["choices"]
    if isinstance(choices, Choices):
        each = (f"`{name}` ({line.rstrip('.')})" for name, line in choices.described().items())
        meaning += f"; a file of `robgan_tf/{choices.folder}/`: " + "; ".join(each)
    elif choices and field.type in (str, "str"):
        meaning += "; " + ", ".join(f"`{choice}`" for choice in choices)
    return f"`{kind.gin_name}.{field.name}`", default, meaning
