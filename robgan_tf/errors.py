"""The errors that are the user's to mend, the run's own reasons to stop, and the machine's."""

import errno
import os
import re

# What TensorFlow passes on of the operating system's errors, in its words.
_OF_THE_SYSTEM = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.ESTALE),
)

_LONGEST_QUOTE = 300

# Of record files, as what reads them in a graph says it, and TensorFlow by itself.
DAMAGED_RECORD = (
    "a record of the data is damaged, or is not the one that the folder record_index tells of: "
    "prepare the data again"
)
_UNPARSED_RECORD = "Could not parse example input"


class UserError(Exception):
    """A mistake in what the user gave: a flag, a gin file, a data directory.

    The message is one line that names what was wrong, where, and what would be
    right. Commands print it without a traceback and exit with status 2.
    """


class NonFiniteError(Exception):
    """A loss or gradient became infinite or NaN; the message names the culprit."""


class CollapseError(Exception):
    """An alarm stopped the run, which was saved; the message says what was seen."""


class LostWorkerError(Exception):
    """Another worker of the run has ended; the message names it where it is known."""


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


def machine_fault(error: BaseException) -> str | None:
    """What of the machine failed a call: disk, memory, descriptors, rights.

    Args:
      error: any exception, also of TensorFlow, which passes the system's errors on as text.

    Returns:
      One line; None where it was something else.
    """
    if isinstance(error, MemoryError):
        return f"out of memory ({one_line(error)})"
    if isinstance(error, OSError):
        named = "" if error.filename is None else f": {error.filename}"
        return None if error.errno is None else f"{error.strerror}{named}"
    if not type(error).__module__.startswith("tensorflow"):
        return None
    # Where in a graph it happened, before and after what happened.
    text = " ".join(re.sub(r"\{\{.*?\}\}|\[Op:.*", "", str(error)).split())
    if DAMAGED_RECORD in text or _UNPARSED_RECORD in text:
        return DAMAGED_RECORD.partition(":")[0]
    if any(os.strerror(code) in text for code in _OF_THE_SYSTEM):
        return text
    return f"out of memory ({text})" if type(error).__name__ == "ResourceExhaustedError" else None
