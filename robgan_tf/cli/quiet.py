"""Loading TensorFlow without its notes about this machine being the first thing a user reads.

They are written by its C++ side before it knows of TF_CPP_MIN_LOG_LEVEL, straight to the standard
error of the process, so nothing in Python can turn them off.
"""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import BinaryIO

# Notes and warnings as absl for C++ writes them, and what is said of a library that is linked
# twice; errors pass.
_NOTES = re.compile(rb"[IW]\d{4} |WARNING: All log messages before absl::|.*Unable to register cu")
_STDERR = 2


@contextlib.contextmanager
def tensorflow_loading() -> Iterator[None]:
    """Leaves TensorFlow's notes out of standard error in a `with` block that imports it.

    Everything else, such as why it cannot be loaded, is written at once, by another process: this
    one may be ended by TensorFlow on a processor that it was not built for.
    """
    shown = os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1")
    if "tensorflow" in sys.modules or shown or sys.stderr is None or not hasattr(os, "fork"):
        yield
        return
    sys.stderr.flush()
    reading, writing = os.pipe()
    filtering = _forked()
    if not filtering:
        os.close(writing)
        _filter(os.fdopen(reading, "rb"))
    os.close(reading)
    before = os.dup(_STDERR)
    os.dup2(writing, _STDERR)
    os.close(writing)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, _STDERR)
        os.close(before)
        os.waitpid(filtering, 0)


def _forked() -> int:
    """As `os.fork`, but signals are for this process alone: the other one ignores them."""
    ours = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    process = os.fork()
    if not process:
        for number in ours:
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def _filter(lines: BinaryIO) -> None:
    """Writes lines that are no notes to standard error until there are no more, and exits."""
    status = 1
    try:
        for line in lines:
            if not _NOTES.match(line):
                os.write(_STDERR, line)
        status = 0
    finally:
        # Nothing of what the other process has to do at its exit.
        os._exit(status)
