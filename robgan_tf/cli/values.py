"""The kinds of values that flags take: from text to a value, or one line on what would be right.

Each is a function of the flag as written ("--seed") and the text given to it.
"""

import csv
import math
import os
import re
import unicodedata
from collections.abc import Callable

from robgan_tf.choices import Choices
from robgan_tf.config.fields import LARGEST_SEED
from robgan_tf.errors import UserError, shortened
from robgan_tf.units import parse_radius

# gs://, s3://, https://, also after NAME= or KIND:.
_ADDRESS = re.compile(r"(^|[=:])[A-Za-z][A-Za-z0-9+.-]*://")
Value = Callable[[str, str], object]

_LARGEST = 2**53  # More is beyond what arrays may be, and floats can count.
_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # bytes, of most file systems
_LONGEST_RESULT = 180  # What is made of it has endings of its own.
# What comes before a home folder, its name and what comes after.
_HOME = re.compile(r"((?:[^/=:]*[=:])?)(~[^/]*)(.*)", re.DOTALL)


def text(flag: str, given: str) -> str:
    """Any text."""
    del flag
    return given


def path(flag: str, given: str) -> str:
    """A path, or a name and a path as in NAME=PATH or KIND:PATH, with `~` as in a shell.

    Shells themselves leave the `~` of --flag=~/folder to the program. Addresses such as gs://bucket
    are refused: as a path one would be a folder `gs:` here.
    """
    if _ADDRESS.search(given):
        raise UserError(
            f"{flag}={given}: an address is no path; copy it to a disk here, or mount it"
        )
    _check_path(flag, given)
    found = _HOME.fullmatch(given)
    if found is None:
        return given
    before, home, after = found.groups()
    expanded = os.path.expanduser(home + after)
    if expanded.startswith("~"):
        raise UserError(
            f"{flag}={given}: there is no user {home[1:]!r}; a folder of that name is ./{home}"
        )
    return before + expanded


def file_name(flag: str, given: str) -> str:
    """The name of a file, without its ending."""
    _check_path(flag, given)
    if given in ("", ".", "..") or "/" in given or len(given.encode()) > _LONGEST_RESULT:
        raise UserError(
            f"{flag}={shortened(given)}: give the name of a file, without /, of at most "
            f"{_LONGEST_RESULT} bytes"
        )
    return given


def _check_path(flag: str, given: str) -> None:
    """Refuses what no file of this machine can be called, and what could not be told of one."""
    shown = f"{flag}={shortened(given)!a}"
    try:
        longest = max(len(part.encode()) for part in given.split("/"))
    except UnicodeEncodeError as error:
        raise UserError(f"{shown}: the path is not in UTF-8") from error
    if longest > _LONGEST_NAME or len(given.encode()) > _LONGEST_PATH:
        raise UserError(
            f"{shown}: the path is too long; {_LONGEST_PATH} bytes, and {_LONGEST_NAME} between "
            "two /, are the most"
        )
    if any(unicodedata.category(character) == "Cc" for character in given):
        raise UserError(f"{shown}: the path has a control character")


def whole(least: int, most: int | None = None) -> Value:
    """A whole number of at least `least`, and at most `most` if there is such a bound."""

    def parse(flag: str, given: str) -> int:
        try:
            number = int(given)
        except ValueError as error:
            raise UserError(f"{flag}={given}: not a whole number") from error
        if most is not None and not least <= number <= most:
            raise UserError(f"{flag}={given}: give a whole number from {least} to {most}")
        if number < least:
            raise UserError(f"{flag}={given}: give at least {least}")
        if most is None and number > _LARGEST:
            raise UserError(f"{flag}={given}: give at most {_LARGEST}")
        return number

    return parse


# Of all random numbers: what a 64-bit integer of TensorFlow holds.
seed = whole(0, LARGEST_SEED)


def bound(smallest: float) -> Value:
    """A finite number of at least `smallest`, which is next to 0."""

    def parse(flag: str, given: str) -> float:
        number = _number(flag, given)
        if not smallest <= number < math.inf:
            raise UserError(f"{flag}={number:g}: give a bound above 0, for instance 1")
        return number

    return parse


def positive(flag: str, given: str) -> float:
    """A finite number above 0."""
    number = _number(flag, given)
    if not 0.0 < number < math.inf:
        raise UserError(f"{flag}={number:g}: give a number above 0")
    return number


def one_of(*choices: str) -> Value:
    """One of a few names."""

    def parse(flag: str, given: str) -> str:
        if given not in choices:
            raise UserError(f"{flag}={given} does not exist; choose one of {', '.join(choices)}")
        return given

    return parse


def check_choice(flag: str, given: str, choices: Choices) -> None:
    """Refuses a name that is no choice; extensions, which may add some, are loaded by now."""
    if given not in choices:
        raise UserError(f"--{flag}={given}: {choices.unknown(given)}")


def texts(flag: str, given: str) -> list[str]:
    """A list with commas between its entries, as in a line of a CSV file."""
    try:
        return [entry.strip() for entry in next(csv.reader([given]), [])]
    except csv.Error as error:
        raise UserError(f"{flag}={given}: no list of one line, such as a,b") from error


def numbers(flag: str, given: str) -> tuple[float, ...]:
    """A list of numbers."""
    try:
        return tuple(float(entry) for entry in texts(flag, given))
    except ValueError as error:
        raise UserError(f"{flag}={given}: not a list of numbers") from error


def radii(flag: str, given: str) -> tuple[float, ...]:
    """A list of radii above 0, as numbers on [-1, 1] or as k/255 of [0, 1]; on [-1, 1]."""
    try:
        found = tuple(parse_radius(entry) for entry in texts(flag, given))
    except ValueError as error:
        raise UserError(f"{flag}={given}: {error}") from error
    if not found or min(found) == 0.0:
        raise UserError(f"{flag}: give radii above 0, for instance 0.02,0.04,0.08 or 8/255")
    return found


def _number(flag: str, given: str) -> float:
    try:
        return float(given)
    except ValueError as error:
        raise UserError(f"{flag}={given}: not a number") from error
