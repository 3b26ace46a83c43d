"""The flags of one command: declared, shown by --help, and read from a command line.

absl's own flags (--verbosity, --pdb, ...) are taken too, and everything is written as absl has it:
`--flag=value` or `--flag value`, one dash or two, `--masking`, `--nomasking` or `--masking=false`.
Names are never guessed from abbreviations.
"""

import argparse
import difflib
import textwrap
from collections.abc import Iterable, Sequence
from typing import NoReturn

from absl import flags
from absl.flags import argparse_flags

from robgan_tf.cli.values import Value, path, text
from robgan_tf.errors import UserError, shortened

_TRUE, _FALSE = ("true", "t", "1"), ("false", "f", "0")
_WIDTH = 100


class Values(argparse.Namespace):
    """The values of a command's flags, as attributes.

    Attributes:
      given: what was on the command line, one `--name=value` an entry, words left out.
    """

    given: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether a flag was given, even if as its default."""
        return name in map(flag_name, self.given)

    def refuse(self, names: Iterable[str], why: str) -> None:
        """Refuses flags that would change nothing.

        Args:
          names: of them.
          why: continues a sentence that begins with a flag's name.

        Raises:
          UserError: if one is given.
        """
        for name in names:
            if self.has(name):
                raise UserError(f"--{name} {why}: leave it out")


class Parser(argparse_flags.ArgumentParser):
    """Reads one command line of one command, or of one of its kinds.

    Args:
      prog: how the command is started.
      purpose: what it is for: sentences.
      example: its arguments in a command line that works.
    """

    def __init__(self, prog: str, purpose: str, example: str):
        super().__init__(
            prog=prog,
            usage=f"{prog} [flags]",
            description="\n".join(
                [textwrap.fill(purpose, _WIDTH), "", "Example:", f"  {prog} {example}".rstrip()]
            ),
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )
        self._group: argparse._ActionsContainer = self

    def group(self, title: str) -> None:
        """Begins a group of flags, whose title --help shows over them."""
        self._group = self.add_argument_group(title)

    def flag(
        self,
        name: str,
        meaning: str,
        value: Value = text,
        *,
        default: object = None,
        repeated: bool = False,
        shown: str = "",
        form: str = "TEXT",
    ) -> None:
        """Declares a flag with a value.

        Args:
          name: without dashes.
          meaning: for --help, with what happens where it is not given and has no default.
          value: what it takes; one of `cli.values`.
          default: what it is if it is not given.
          repeated: whether each further one adds to a list; the default is then the empty list.
          shown: how --help writes the default, if not by its own text.
          form: how --help writes a value.
        """
        shown = shown or ("" if default in (None, ()) else str(default))
        self._group.add_argument(
            f"--{name}",
            type=lambda given: _value(value, f"--{name}", given),
            action="append" if repeated else "store",
            # The list of a parser that is used once is changed by nobody else.
            default=[] if repeated else default,
            metavar=form,
            help=_escaped(meaning) + (_escaped(f" Default: {shown}.") if shown else ""),
        )

    def switch(self, name: str, meaning: str, default: bool = False) -> None:
        """Declares a flag that is on or off.

        Args:
          name: of the flag.
          meaning: what its help says.
          default: what it is where it is not given.
        """
        self._group.add_argument(
            f"--{name}",
            f"--no{name}",
            action=_Switch,
            dest=name,
            default=default,
            help=f"{_escaped(meaning)} Default: {'on' if default else 'off'}.",
        )

    def format_help(self) -> str:
        """The text of --help: the command's own flags first, those of every command last."""
        own = [group for group in self._action_groups if group is not self._optionals]
        self._action_groups = [*own, self._optionals]
        self._optionals.title = "Help"
        return super().format_help()

    def described(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What --help says of the command's own flags, for the manual.

        Returns:
          A list of groups: title, and of each flag `--name=FORM` and its meaning.
        """
        formatter = _HelpFormatter(self.prog)
        groups = [group for group in self._action_groups if group is not self._optionals]
        return [
            (
                group.title or "",
                [
                    (formatter.invocation(action), (action.help or "").replace("%%", "%"))
                    for action in group._group_actions
                ],
            )
            for group in groups
            if group._group_actions
        ]

    def error(self, message: str) -> NoReturn:
        """Ends reading, as argparse asks for, by an error of this project."""
        raise UserError(message)

    def read(self, words: Sequence[str]) -> Values:
        """Reads a command line.

        Args:
          words: what comes after the command and its kind.

        Raises:
          UserError: if a flag does not exist, has no value or one it does not take, or a word is
            left over.
          SystemExit: after --help was printed.
        """
        try:
            words = self._normal(flags.FLAGS.read_flags_from_files(list(words), force_gnu=True))
            values, rest = self.parse_known_args(words, Values())
        # absl's own flags raise either.
        except (flags.Error, ValueError) as error:
            raise UserError(shortened(" ".join(str(error).split()))) from error
        if rest:
            raise UserError(self._about_surplus(rest[0]))
        values.given = tuple(word for word in words if word.startswith("-"))
        return values

    def has_flag(self, name: str) -> bool:
        """Whether there is a flag of this name, without dashes."""
        return self._flag_action(name) is not None

    def takes_value(self, name: str) -> bool:
        """Whether there is a flag of this name, without dashes, that takes a value."""
        action = self._flag_action(name)
        return action is not None and action.nargs != 0

    def flag_names(self) -> list[str]:
        """The names of the flags that --help shows."""
        shown = (x for x in self._actions if x.help is not argparse.SUPPRESS)
        return [_long_name(action) for action in shown]

    def _flag_action(self, name: str) -> argparse.Action | None:
        found = self._option_string_actions.get(f"--{name}")
        return found or self._option_string_actions.get(f"-{name}")

    def _normal(self, words: Iterable[str]) -> list[str]:
        """Writes every flag as one word, `--name=value` or `--name`, as argparse takes it."""
        normal: list[str] = []
        words = iter(words)
        for word in words:
            if word == "--":
                if (surplus := next(words, None)) is not None:
                    raise UserError(_unexpected(surplus))
                break
            if not word.startswith("-") or word == "-":
                normal.append(word)
                continue
            name, equals, value = word.lstrip("-").partition("=")
            action = self._flag_action(name)
            if action is not None and len(name) == 1:
                name = _long_name(action)
            if action is not None and action.nargs == 0:
                name, equals, value = (self._switched(name, value) if equals else name), "", ""
            elif action is not None and not equals:
                following = next(words, None)
                if following is None:
                    raise UserError(f"--{name} needs a value: --{name}={action.metavar}")
                equals, value = "=", following
            normal.append(f"--{name}{equals}{value}")
        return normal

    def _switched(self, name: str, value: str) -> str:
        off = name.removeprefix("no")
        if name.startswith("no") and self._flag_action(off) is self._flag_action(name):
            raise UserError(f"--{name} takes no value; write --{off}={value} or --{name}")
        if value.lower() not in (*_TRUE, *_FALSE):
            raise UserError(f"--{name}={value}: give true or false")
        return name if value.lower() in _TRUE else f"no{name}"

    def _about_surplus(self, word: str) -> str:
        if not word.startswith("-"):
            return _unexpected(word)
        name = flag_name(word)
        nearest = difflib.get_close_matches(name, self.flag_names(), n=1)
        hint = f"did you mean --{nearest[0]}?" if nearest else "--help lists those there are"
        return f"there is no flag --{name}; {hint}"


def _value(value: Value, flag: str, given: str) -> object:
    """What a flag's text stands for; an empty text is that of a variable nobody has set."""
    if not given.strip() and value in (text, path):
        raise UserError(f"{flag}={given}: there is nothing behind the =; leave the flag out")
    try:
        return value(flag, given)
    except UserError as error:
        raise UserError(str(error).replace(given, shortened(given)) if given else error) from error


def flag_name(word: str) -> str:
    """The name in `--name=value`."""
    return word.lstrip("-").partition("=")[0]


def _unexpected(word: str) -> str:
    return f"unexpected argument {word!r}; flags begin with --"


def _long_name(action: argparse.Action) -> str:
    return next(x for x in action.option_strings if x.startswith("--")).removeprefix("--")


class _Switch(argparse.Action):
    """`--name` turns something on, `--noname` off."""

    def __init__(self, option_strings: Sequence[str], dest: str, default: bool, help: str):
        super().__init__(option_strings, dest, nargs=0, default=default, help=help)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, option_string == self.option_strings[0])


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """--help as people write flags: `--name=FORM`, and [no] where a flag can be off."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=28, width=_WIDTH)

    def invocation(self, action: argparse.Action) -> str:
        """How a flag is written."""
        return self._format_action_invocation(action)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, _Switch):
            return f"--[no]{action.dest}"
        if action.nargs == 0 or not action.option_strings:
            return super()._format_action_invocation(action)
        return f"{action.option_strings[0]}={action.metavar}"


def _escaped(meaning: str) -> str:
    return meaning.replace("%", "%%")  # argparse fills in % itself.
