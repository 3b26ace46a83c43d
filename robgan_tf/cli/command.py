"""What a command is: a purpose, an example, flags, and a function of their values."""

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence

from robgan_tf.cli.parser import Parser, Values, flag_name
from robgan_tf.errors import UserError
from robgan_tf.runs.stopping import keeping

SCRIPT = "robgan-tf"
# Of a command that a signal has ended.
KEPT = "every file there is whole; the same command makes what is missing"


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, or one kind of a command that has several.

    Attributes:
      name: "train"; of a kind "evaluate gap".
      purpose: what it is for: sentences, for --help.
      example: its arguments in a command line that works.
      add_flags: declares its flags.
      call: does it; returns the exit status.
      kept: what is safe where a signal ends it, and how to go on.
      one_process: whether it refuses to be one of several workers, which would all do the same.
    """

    name: str
    purpose: str
    example: str
    add_flags: Callable[[Parser], None]
    call: Callable[[Values], int]
    kept: str = KEPT
    one_process: bool = False

    def parser(self) -> Parser:
        """A new parser of the command's flags."""
        parser = Parser(started_as(self.name), self.purpose, self.example)
        self.add_flags(parser)
        return parser

    def bound(self, words: Sequence[str]) -> Callable[[], int]:
        """The call that a command line asks for.

        Args:
          words: what comes after the command's name.

        Raises:
          UserError: if a flag or a value does not exist.
          SystemExit: after --help was printed.
        """
        return self.bound_to(self.parser().read(words))

    def bound_to(self, values: Values) -> Callable[[], int]:
        """The call with values of the flags."""

        def call() -> int:
            with keeping(self.kept):
                if self.one_process:
                    _refuse_workers(self.name)
                return self.call(values)

        return call


@dataclasses.dataclass(frozen=True)
class Kinds:
    """A command of several kinds, the first word of its command line.

    Attributes:
      name: of the command.
      purpose: what it is for: sentences, for --help.
      kinds: a Command of each, named "<name> <kind>".
    """

    name: str
    purpose: str
    kinds: tuple[Command, ...]

    def bound(self, words: Sequence[str]) -> Callable[[], int]:
        """As `Command.bound`; flags may come before the kind."""
        place = self._place_of_kind(words)
        kind = None if place is None else words[place]
        if kind is None and not {"-h", "-help", "--help"}.isdisjoint(words):
            print(self._help())
            raise SystemExit(0)
        commands = self._by_kind()
        if place is None or kind not in commands:
            given = "nothing was given" if kind is None else f"{kind!r} does not exist"
            raise UserError(f"what to do? {given}; choose {' or '.join(commands)}")
        rest = [*words[:place], *words[place + 1 :]]
        self._refuse_flags_of_others(kind, rest)
        return commands[kind].bound(rest)

    def _by_kind(self) -> dict[str, Command]:
        return {command.name.split()[1]: command for command in self.kinds}

    def _place_of_kind(self, words: Sequence[str]) -> int | None:
        parsers = [command.parser() for command in self.kinds]
        place = 0
        while place < len(words) and words[place].startswith("-"):
            name, equals, _ = words[place].lstrip("-").partition("=")
            separate = not equals and any(parser.takes_value(name) for parser in parsers)
            place += 2 if separate else 1
        return place if place < len(words) else None

    def _refuse_flags_of_others(self, kind: str, words: Sequence[str]) -> None:
        """Refuses flags that only other kinds have: they would change nothing, unseen."""
        parsers = {kind: command.parser() for kind, command in self._by_kind().items()}
        for name in (flag_name(word) for word in words if word.startswith("-")):
            used_by = [other for other, parser in parsers.items() if parser.has_flag(name)]
            if used_by and kind not in used_by:
                raise UserError(f"--{name} is nothing that {kind} uses: leave it out")

    def _help(self) -> str:
        program = started_as(self.name)
        # The first sentence of a kind's purpose says what it does.
        lines = [
            f"  {k:<15}{x.purpose.partition('. ')[0].rstrip('.')}"
            for k, x in self._by_kind().items()
        ]
        return "\n".join(
            [
                f"usage: {program} KIND [flags]\n\n{self.purpose}\n\nKinds:",
                *lines,
                f"\n{program} KIND --help shows an example and the flags of a kind.",
            ]
        )


def _refuse_workers(name: str) -> None:
    # It loads numpy, for which --help need not wait.
    from robgan_tf.training.cluster import TF_CONFIG, workers_of_environment

    count = workers_of_environment().count
    if count > 1:
        raise UserError(
            f"{TF_CONFIG} names {count} workers, and {name} is done by one process: unset it, and "
            "start one"
        )


def started_as(name: str) -> str:
    """How a command is started: with the script if this process was, else as a module."""
    if is_script():
        return f"{SCRIPT} {name}"
    command, *kind = name.split()
    return " ".join([f"python -m robgan_tf.{command}", *kind])


def is_script() -> bool:
    """Whether this process was started by the installed script."""
    return pathlib.Path(sys.argv[0]).stem == SCRIPT
