"""Writes docs/configuration.md from the settings classes.

python -m tools.configuration_docs
"""

import dataclasses
import pathlib

from robgan_tf.config.gin_files import CONFIGURABLES

PATH = pathlib.Path(__file__).parents[1] / "docs" / "configuration.md"
INTRODUCTION = """# Configuration

Every setting that a gin file or `--gin_param` can bind, from the groups of settings in
`robgan_tf/config/` (written by `python -m tools.configuration_docs`). Radii and step sizes are on
images in [-1, 1].
"""


def text():
    """Returns the whole document."""
    sections = [INTRODUCTION]
    for kind in CONFIGURABLES:
        rows = [_row(kind, field) for field in dataclasses.fields(kind)]
        summary = kind.__doc__.split(": ", 1)[-1].split("\n")[0]
        title = f"## {kind.gin_name}\n\n"
        if not summary.startswith("`"):
            title += f"{summary[0].upper()}{summary[1:]}\n\n"
        head = "| setting | default | meaning |\n|---|---|---|\n"
        sections.append(title + head + "\n".join(rows) + "\n")
    return "\n".join(sections)


def _row(kind, field):
    required = field.default is dataclasses.MISSING
    default = "*required*" if required else f"`{field.default!r}`"
    meaning = field.metadata["meaning"]
    choices = field.metadata["choices"]
    if choices and field.type in (str, "str"):
        meaning += "; " + ", ".join(f"`{choice}`" for choice in choices)
    return f"| `{kind.gin_name}.{field.name}` | {default} | {meaning} |"


if __name__ == "__main__":
    PATH.write_text(text())
