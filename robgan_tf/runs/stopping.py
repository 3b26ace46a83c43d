"""Stopping a run between two steps when Ctrl-C or a termination signal arrives."""

import signal
from types import FrameType
from typing import Any, Self


class StopRequest:
    """Context manager that turns the first SIGINT or SIGTERM into a flag.

    The loop reads `received` between steps, saves and leaves. A second signal takes effect at
    once, as if this were not here.

    Attributes:
      received: the signal that arrived, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    @property
    def exit_status(self) -> int:
        """The shell's exit status for a process ended by the signal: 130 for Ctrl-C."""
        assert self.received is not None, "no signal has arrived"
        return 128 + self.received

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
