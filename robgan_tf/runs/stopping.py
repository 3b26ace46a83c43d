"""How a command ends when Ctrl-C or a termination signal arrives, or its time is up.

`interruptible` is around every command: a signal ends it by an exception, so that what was being
written aside is removed. `StopRequest` is around training, which ends between two steps. A second
signal ends the process at once in both, also within a long call of TensorFlow.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# EX_TEMPFAIL of sysexits.h: run it again.
TIME_STATUS = 75
# After the first signal, until it is said that a call has to end first.
_PATIENCE_SECONDS = 2.0
# `timeout` sends a signal to the process and to its group: within this it is the same one.
_SAME_SECONDS = 0.3


class StoppedError(KeyboardInterrupt):
    """A signal that ends a command.

    Attributes:
      signal: which.
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)

    @property
    def exit_status(self) -> int:
        """The shell's exit status for a process ended by the signal: 130 for Ctrl-C."""
        return 128 + self.signal


@contextlib.contextmanager
def keeping(what: str | Callable[[], str]) -> Iterator[None]:
    """Says what is safe when a signal or an error ends this block, unless one within it has.

    Args:
      what: is safe, and how to go on; or a function that returns it.
    """
    try:
        yield
    except (StoppedError, Exception) as error:
        if not hasattr(error, "__notes__"):
            error.add_note(what() if callable(what) else what)
        raise


def kept(error: BaseException) -> str | None:
    """What `keeping` has said of an error."""
    return next(iter(getattr(error, "__notes__", [])), None)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """The first SIGINT or SIGTERM in this `with` block raises StoppedError in it.

    A second one ends the process at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # No other thread may ask for signals, and none is interrupted by them.
        return
    arrived = _Arrived()

    def raise_stopped(number: int, frame: FrameType | None) -> None:
        del frame
        if not arrived.again(number):
            raise StoppedError(number)

    with _second_leaves_at_once(), _Handlers(raise_stopped):
        yield


class StopRequest:
    """Context manager that turns the first SIGINT or SIGTERM into a flag.

    The loop asks `is_due` between steps, saves and leaves.

    Args:
      deadline: when the run has to have ended, on `clock`; None for never.
      clock: returns the time in seconds from any origin.

    Attributes:
      received: the signal that arrived, or None.
    """

    def __init__(
        self, deadline: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.received: signal.Signals | None = None
        self._of_other = 0
        self._deadline = deadline
        self._clock = clock
        self._between, self._longest = clock(), 0.0
        self._arrived = _Arrived()
        self._handlers = _Handlers(self._receive)

    def __enter__(self) -> Self:
        self._handlers.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._handlers.__exit__()

    def is_due(self) -> bool:
        """Whether to stop; to be asked after every step, with all that belongs to it.

        Time is up where another step as long as the longest so far might not end in it.
        """
        now = self._clock()
        self._longest = max(self._longest, now - self._between)
        self._between = now
        out_of_time = self._deadline is not None and now + self._longest >= self._deadline
        return self.received is not None or out_of_time

    def take_over(self, exit_status: int) -> None:
        """Stops for another worker's reason, which ends it with this status."""
        self._of_other = exit_status

    @property
    def reason(self) -> str:
        """What the run was stopped by."""
        if self._of_other:
            name = "--max_hours"
            if self._of_other > 128:
                name = signal.Signals(self._of_other - 128).name
            return f"{name} of another worker"
        return "--max_hours" if self.received is None else self.received.name

    @property
    def exit_status(self) -> int:
        """The shell's exit status for a process ended by the signal; 75 where time was up."""
        if self._of_other:
            return self._of_other
        return TIME_STATUS if self.received is None else 128 + self.received

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._arrived.again(number):
            return
        if self.received is None:
            self.received = signal.Signals(number)
        else:
            # Where no command is around that counts them, the second takes effect as before.
            self._handlers.__exit__()
            signal.raise_signal(number)


class _Arrived:
    """Tells a second signal from the first one sent twice."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def again(self, number: int) -> bool:
        """Whether a signal that has just arrived is the first one once more."""
        now = time.monotonic()
        if self._first is None:
            self._first = number, now
            return False
        first, then = self._first
        return number == first and now - then < _SAME_SECONDS


class _Handlers:
    """Context manager in which a function handles SIGINT and SIGTERM, in the main thread."""

    def __init__(self, handler: Callable[[int, FrameType | None], object]) -> None:
        self._handler = handler
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._handler)

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


@contextlib.contextmanager
def _second_leaves_at_once() -> Iterator[None]:
    """Counts signals in a thread: Python's own handlers wait for TensorFlow's calls to return."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watcher = threading.Thread(target=_count_signals, args=(reading,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)
        watcher.join()
        os.close(reading)


def _count_signals(reading: int) -> None:
    first = second = _next_signal(reading)
    if first is None:
        return
    arrived, is_said = _Arrived(), False
    arrived.again(first)
    while second is not None:
        if not is_said and not select.select([reading], [], [], _PATIENCE_SECONDS)[0]:
            _say(
                f"{first.name}: the call under way is finished first; another signal leaves at once"
            )
            is_said = True
        second = _next_signal(reading)
        if second is not None and not arrived.again(second):
            _say(f"{second.name} again: left at once; what was saved before is safe")
            os._exit(128 + second)


def _next_signal(reading: int) -> signal.Signals | None:
    """The next of the signals that arrive; None when no more can."""
    while byte := os.read(reading, 1):
        if byte[0] in SIGNALS:
            return signal.Signals(byte[0])
    return None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
