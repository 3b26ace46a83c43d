"""All commands behind one name.

    robgan-tf train --gin_file=gin/quickstart.gin
    python -m robgan_tf train --gin_file=gin/quickstart.gin

Without a command it lists them.
"""

import difflib
import importlib
import sys
from collections.abc import Sequence

from robgan_tf.cli.command import SCRIPT
from robgan_tf.cli.commands import COMMANDS

UNKNOWN_STATUS = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that is the first word; returns its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    if not words or words[0] in ("-h", "-help", "--help"):
        print(listing())
        return 0
    name, *rest = words
    if name not in COMMANDS:
        print(f"error: {_about_unknown(name)}", file=sys.stderr)
        return UNKNOWN_STATUS
    module, _ = COMMANDS[name]
    if argv is None:
        # The command reads what is its own of this process's command line.
        sys.argv[1:] = rest
        return importlib.import_module(module).main()
    return importlib.import_module(module).main(rest)


def listing() -> str:
    """What there is to be run, a line each."""
    width = max(map(len, COMMANDS)) + 2
    return "\n".join(
        [
            f"usage: {SCRIPT} COMMAND [flags]",
            "",
            "Rob-GAN: an image generator and a classifier that withstands attacks.",
            "",
            "Commands:",
            *(f"  {name:<{width}}{line}" for name, (_, line) in COMMANDS.items()),
            "",
            f"{SCRIPT} COMMAND --help shows a command's purpose, an example and its flags; "
            f"python -m robgan_tf",
            f"is the same as {SCRIPT}.",
        ]
    )


def _about_unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(COMMANDS)}"
    return f"{name!r} is no command; {hint}"


if __name__ == "__main__":
    sys.exit(main())
