"""How fast the steps of a training loop go."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Throughput:
    """Measures steps per second over intervals, leaving out declared pauses.

    The first step is not measured: it includes tracing and compiling the
    training step, which can take as long as hundreds of steps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """Starts with nothing measured.

        Args:
          clock: returns the time in seconds from any origin.
        """
        self._clock = clock
        self._paused_seconds = 0.0
        self._pause_start: float | None = None
        self._interval_start: tuple[int, float] | None = None
        self._first_end: float | None = None
        # Few enough to follow a machine that becomes slower, enough to be calm.
        self._intervals: deque[tuple[int, float]] = deque(maxlen=5)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out the time spent in the `with` block; blocks may be nested."""
        if self._pause_start is not None:
            yield  # the outer block counts this time
            return
        self._pause_start = self._clock()
        try:
            yield
        finally:
            self._paused_seconds += self._clock() - self._pause_start
            self._pause_start = None

    def step_done(self, step: int) -> None:
        """Notes that `step` steps are done; the first call starts the first interval."""
        if self._interval_start is None:
            self._interval_start = (step, self._working_time())
            self._first_end = self._working_time()

    def end_interval(self, step: int) -> None:
        """Ends the interval at `step` and starts the next one there."""
        now = self._working_time()
        if self._interval_start is None:
            self._interval_start = (step, now)
        first_step, start = self._interval_start
        if step > first_step and now > start:
            self._intervals.append((step - first_step, now - start))
            self._interval_start = (step, now)

    @property
    def seconds(self) -> float:
        """Seconds since the first step was done, pauses left out."""
        return 0.0 if self._first_end is None else self._working_time() - self._first_end

    @property
    def last_rate(self) -> float | None:
        """Steps per second of the last interval, None if there is none yet."""
        if not self._intervals:
            return None
        steps, seconds = self._intervals[-1]
        return steps / seconds

    @property
    def recent_rate(self) -> float | None:
        """Steps per second over the last few intervals, None if there is none yet."""
        if not self._intervals:
            return None
        return sum(steps for steps, _ in self._intervals) / sum(s for _, s in self._intervals)

    def _working_time(self) -> float:
        now = self._clock() if self._pause_start is None else self._pause_start
        return now - self._paused_seconds
