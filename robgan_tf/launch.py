"""Trains or evaluates with several worker processes on this machine.

    python -m robgan_tf.launch --workers=2 train --gin_file=gin/cifar10.gin

What comes after the flags of this command is a command of its own, started as often as there are
workers, with TF_CONFIG set for each.
"""

import sys
from collections.abc import Callable, Sequence

from typing_extensions import override

from robgan_tf.cli import start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.launcher import Launcher
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.errors import UserError

LAUNCHED = ("train", "finetune", "evaluate")


def add_flags(parser: Parser) -> None:
    """Declares the command's flags, which come before the command that is launched."""
    parser.group("Workers")
    parser.flag("workers", "How many processes.", values.whole(1), default=2, form="NUMBER")
    parser.flag(
        "gpus_per_worker",
        "Which GPUs each process sees: the first so many the first, and so on. Without it each "
        "sees all of them, which is of use without any.",
        values.whole(1),
        form="NUMBER",
    )
    parser.flag(
        "grace",
        "Seconds that the others have to notice that one has ended, before they are ended.",
        values.positive,
        default=60.0,
        form="SECONDS",
    )


class Launch(Command):
    """A command whose command line ends with that of another."""

    @override
    def bound(self, words: Sequence[str]) -> Callable[[], int]:
        """As `Command.bound`, of the words before the other command."""
        place = _place_of_command(self.parser(), words)
        given = self.parser().read(words[:place])
        given.command = list(words[place:])
        return self.bound_to(given)


def launch(given: Values) -> int:
    """Starts the workers and waits for them."""
    name = given.command[0] if given.command else None
    if name not in LAUNCHED:
        found = "nothing was given" if name is None else f"{name!r} is nothing to launch"
        raise UserError(
            f"what to launch? {found}; give {' or '.join(LAUNCHED)} and its flags after those of "
            "launch"
        )
    return Launcher(given.command, given.workers, given.gpus_per_worker, given.grace).run()


def _place_of_command(parser: Parser, words: Sequence[str]) -> int:
    place = 0
    while place < len(words) and words[place].startswith("-"):
        name, equals, _ = words[place].lstrip("-").partition("=")
        place += 2 if not equals and parser.takes_value(name) else 1
    return min(place, len(words))


COMMAND = Launch(
    "launch",
    "Trains or evaluates with several worker processes on this machine: train, finetune, evaluate "
    "robustness or evaluate quality with its own flags comes after those of launch. Each takes a "
    "part of every batch, or some of the batches. One that dies ends all; the same command "
    "continues.",
    "--workers=2 train --gin_file=gin/quickstart.gin",
    add_flags,
    launch,
    kept="the workers were told; what they saved is safe, and the same command continues",
    one_process=True,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
