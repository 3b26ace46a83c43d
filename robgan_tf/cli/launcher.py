"""Several workers of one command on this machine: started, shown, and ended together."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TextIO

from robgan_tf.errors import UserError
from robgan_tf.runs.stopping import StoppedError

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_BETWEEN_LOOKS = 0.05
# After a termination signal, until it is enforced.
_SECONDS_TO_LEAVE = 15.0


@dataclasses.dataclass(frozen=True)
class Launcher:
    """Starts workers of a command and waits for them.

    Attributes:
      words: the command and its flags.
      workers: how many.
      gpus: of each worker, by the order of CUDA_VISIBLE_DEVICES; None to leave that to it.
      grace: seconds that the others have to notice that one has ended, before they are ended.
    """

    words: Sequence[str]
    workers: int
    gpus: int | None = None
    grace: float = 60.0

    def run(self) -> int:
        """Runs the workers to their end.

        Returns:
          0 where all of them ended with that, else the status of the one that first did not.
        """
        environments = [{**os.environ, **own} for own in self._environments()]
        with contextlib.ExitStack() as started:
            processes = [
                started.enter_context(_worker(number, self.words, environment))
                for number, environment in enumerate(environments)
            ]
            return self._watch(processes)

    def _environments(self) -> list[dict[str, str]]:
        """What is set for each worker."""
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(self.workers)]}
        own = []
        for number in range(self.workers):
            config = {"cluster": cluster, "task": {"type": "worker", "index": number}}
            own.append({"TF_CONFIG": json.dumps(config), "PYTHONUNBUFFERED": "1"})
            if self.gpus is not None:
                own[-1][_VISIBLE] = self._gpus_of(number, self.gpus)
        return own

    def _gpus_of(self, number: int, count: int) -> str:
        wanted = range(number * count, (number + 1) * count)
        if not os.environ.get(_VISIBLE):
            return ",".join(map(str, wanted))
        visible = os.environ[_VISIBLE].split(",")
        if len(visible) < self.workers * count:
            raise UserError(
                f"--gpus_per_worker={count} for {self.workers} workers, but {_VISIBLE} = "
                f"{os.environ[_VISIBLE]} has {len(visible)}"
            )
        return ",".join(visible[place] for place in wanted)

    def _watch(self, processes: Sequence[subprocess.Popen]) -> int:
        """Passes signals on, and ends the others once one of them has failed."""
        status, deadline = 0, float("inf")
        waiting = True
        while waiting:
            try:
                ended = [process.poll() for process in processes]
                waiting = None in ended
                failed = [returned for returned in ended if returned]
                if failed and not status:
                    status, deadline = _exit_status(failed[0]), time.monotonic() + self.grace
                if time.monotonic() > deadline:
                    _say(f"launch: {_names(processes)} did not end by itself and is ended")
                    _end(processes)
                time.sleep(_BETWEEN_LOOKS)
            except StoppedError as stopped:
                # They agree on the step, save and leave.
                _pass_on(processes, stopped.signal)
        return status


@contextlib.contextmanager
def _worker(
    number: int, words: Sequence[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen]:
    """A process of a worker, whose lines are shown with its number; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "robgan_tf", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # Signals of the terminal reach it through the launcher alone.
        start_new_session=True,
    )
    assert process.stdout is not None and process.stderr is not None
    showing = [
        threading.Thread(target=_show, args=(number, lines, to), daemon=True)
        for lines, to in ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
    ]
    for thread in showing:
        thread.start()
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for thread in showing:
            thread.join()


def _show(number: int, lines: TextIO, to: TextIO) -> None:
    for line in lines:
        to.write(f"[{number}] {line.rstrip()}\n")
        to.flush()


def _pass_on(processes: Sequence[subprocess.Popen], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _end(processes: Sequence[subprocess.Popen]) -> None:
    """Asks those that are left to leave, twice, and then does not ask any more."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        _pass_on(processes, number)
        patience = time.monotonic() + _SECONDS_TO_LEAVE / 3
        while any(process.poll() is None for process in processes):
            if time.monotonic() > patience:
                break
            time.sleep(_BETWEEN_LOOKS)


def _names(processes: Sequence[subprocess.Popen]) -> str:
    left = [str(number) for number, process in enumerate(processes) if process.poll() is None]
    return f"worker {', '.join(left)}"


def _exit_status(returned: int) -> int:
    """As the shell shows it: of a process that a signal has ended 128 and the signal."""
    return returned if returned > 0 else 128 - returned


def free_ports(count: int) -> list[int]:
    """Ports that are free now, all of them different."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
