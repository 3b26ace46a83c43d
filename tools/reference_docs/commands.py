"""docs/reference/commands.md, from the commands' own flags."""

import importlib

from robgan_tf.cli.command import SCRIPT, Command, Kinds
from robgan_tf.cli.commands import COMMANDS
from robgan_tf.reporting.markdown import table

INTRODUCTION = f"""# Commands

Every command with its flags, as `--help` shows them. `{SCRIPT}` is the installed script;
`python -m robgan_tf.train` is the same as `{SCRIPT} train`, and so for the others. `{SCRIPT}` alone
lists the commands. Written by `python -m tools.reference_docs`.
"""


def text() -> str:
    """Returns the whole page."""
    sections = [INTRODUCTION]
    for name, (module, _) in COMMANDS.items():
        command: Command | Kinds = importlib.import_module(module).COMMAND
        sections.append(f"## {name}\n")
        if isinstance(command, Kinds):
            sections.append(f"{command.purpose}\n")
            sections += [f"### {kind.name}\n\n{_flags(kind)}" for kind in command.kinds]
        else:
            sections.append(_flags(command))
    return "\n".join(sections)


def _flags(command: Command) -> str:
    example = f"{SCRIPT} {command.name} {command.example}".rstrip()
    parts = [f"{command.purpose}\n\n```console\n$ {example}\n```\n"]
    for title, rows in command.parser().described():
        parts += table([title, ""], ((f"`{flag}`", _html(meaning)) for flag, meaning in rows))
        parts.append("")
    return "\n".join(parts)


def _html(meaning: str) -> str:
    return meaning.replace("<", "&lt;")
