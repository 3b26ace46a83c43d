"""How far a training run is: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TextIO

from robgan_tf.reporting.bar import bar
from robgan_tf.reporting.console import format_duration
from robgan_tf.reporting.throughput import Throughput

_BAR_FORMAT = "{percentage:5.1f} % |{bar}| step {n_fmt}/{total_fmt}{postfix}"


class Progress:
    """Shows the progress, speed, time left and losses of a training run.

    The loop calls `advance` after every step and `report` now and then, and
    wraps what is not training in `paused`:

        for step in range(start_step + 1, total_steps + 1):
            ...
            progress.advance(step)
            if step % 100 == 0:
                progress.report(step, {"D loss": ..., "G loss": ...})
            if step % 1000 == 0:
                with progress.paused():
                    evaluate()
        progress.close()

    The time left is that of the training steps: pauses still to come are not in it.
    """

    def __init__(
        self,
        total_steps: int,
        start_step: int,
        images_per_step: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Shows the bar, if the stream is a terminal.

        Args:
          total_steps: the step at which the run ends; at least 1.
          start_step: the number of steps done before, in [0, total_steps].
          images_per_step: how many training images a step takes; at least 1.
          stream: where to write; standard output if None.
          clock: returns the time in seconds from any origin.

        Raises:
          ValueError: if an argument is out of its range.
        """
        if total_steps < 1:
            raise ValueError(f"total_steps must be at least 1, not {total_steps}")
        if not 0 <= start_step <= total_steps:
            raise ValueError(f"start_step must be from 0 to {total_steps}, not {start_step}")
        if images_per_step < 1:
            raise ValueError(f"images_per_step must be at least 1, not {images_per_step}")
        self._total_steps = total_steps
        self._images_per_step = images_per_step
        self._stream = sys.stdout if stream is None else stream
        self._throughput = Throughput(clock)
        self._losses: dict[str, float] = {}
        self._bar = bar(total_steps, start_step, self._stream, bar_format=_BAR_FORMAT)

    @property
    def images_per_second(self) -> float | None:
        """Training images per second between the last two reports, pauses left out.

        The first step, slow because it compiles, is left out too, so this is
        None until a report at the second step or later.
        """
        rate = self._throughput.last_rate
        return None if rate is None else rate * self._images_per_step

    @property
    def training_seconds(self) -> float:
        """Seconds of training since the first step was done, pauses left out."""
        return self._throughput.seconds

    def advance(self, step: int) -> None:
        """Notes that `step` steps are done; moves the bar if there is one."""
        self._throughput.step_done(step)
        if not self._bar.disable:
            self._bar.set_postfix_str(self._status(step), refresh=False)
            self._bar.update(step - self._bar.n)

    def report(self, step: int, losses: dict[str, float]) -> None:
        """Shows the speed since the last report and the losses.

        Args:
          step: the number of steps done.
          losses: numbers by the name to show, for example {"D loss": 1.234}.
        """
        self._throughput.end_interval(step)
        self._losses = dict(losses)
        if not self._bar.disable:
            self._bar.update(step - self._bar.n)
            self._bar.set_postfix_str(self._status(step))
            return
        percent = 100 * step / self._total_steps
        place = f"{percent:6.1f} %  step {step}/{self._total_steps}"
        self.message("  ".join(filter(None, [place, self._status(step)])))

    def paused(self) -> AbstractContextManager[None]:
        """Keeps the time of a `with` block out of the speed and the time left."""
        return self._throughput.paused()

    def message(self, text: str) -> None:
        """Prints a line of text, above the bar if there is one."""
        self._bar.write(text, file=self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Leaves the bar as it stands and ends its line."""
        self._bar.close()

    def _status(self, step: int) -> str:
        parts = []
        rate = self._throughput.recent_rate
        if self.images_per_second is not None and rate is not None:
            seconds_left = (self._total_steps - step) / rate
            parts.append(f"{self.images_per_second:.1f} images/s")
            parts.append(f"ETA {format_duration(max(seconds_left, 0))}")
        parts += [f"{name} {float(value):.4g}" for name, value in self._losses.items()]
        return "  ".join(parts)
