"""The errors that are the user's to mend, and the run's own reasons to stop."""

_LONGEST_QUOTE = 300


class UserError(Exception):
    """A mistake in what the user gave: a flag, a gin file, a data directory.

    The message is one line that names what was wrong, where, and what would be
    right. Commands print it without a traceback and exit with status 2.
    """


class NonFiniteError(Exception):
    """A loss or gradient became infinite or NaN; the message names the culprit."""


class CollapseError(Exception):
    """An alarm stopped the run, which was saved; the message says what was seen."""


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, for a message of one line."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(":") if lines else type(error).__name__


def one_line(error: BaseException) -> str:
    """The kind and the message of an error on one line, of at most 300 characters."""
    return shortened(" ".join(f"{type(error).__name__}: {error}".split()))


def shortened(text: str) -> str:
    """At most 300 characters of a text, as a message quotes it."""
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
