"""Runs jobs in processes of their own, several at a time, and takes up what an earlier call left.

Jobs outlive this process: after it was killed they finish what they do, and the next call waits for
them. What is done is told by their files alone.
"""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from robgan_tf.files import write_atomically
from robgan_tf.json_file import read_object
from robgan_tf.reproduction.jobs import Job

_POLL_SECONDS = 0.3
_LONGEST_LINE = 200


@dataclasses.dataclass(frozen=True)
class Work:
    """What is to be run.

    Attributes:
      job: the command.
      after: names of jobs that have to be done before.
    """

    job: Job
    after: tuple[str, ...]


class Workers:
    """Runs works, some at a time.

    Args:
      folder: where logs and notes on processes go.
      slots: how many at a time.
      in_use: whether a foreign process works on a job's run.
      say: prints a line.

    Attributes:
      failed: how each job ended that did not succeed, by its name.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        slots: int,
        in_use: Callable[[Job], bool],
        say: Callable[[str], object] = print,
    ) -> None:
        self._folder = folder
        self._slots = slots
        self._in_use = in_use
        self._say = say
        self._processes: dict[int, tuple[Job, subprocess.Popen]] = {}
        self._waited_for: set[str] = set()
        self.failed: dict[str, str] = {}

    def run(self, works: Sequence[Work]) -> None:
        """Runs all works whose predecessors succeed.

        Args:
          works: in the order in which they are begun where they can be.

        Raises:
          StoppedError: if a signal ends this process; it was passed on, and processes have ended.
        """
        waiting = list(works)
        try:
            while waiting or self._processes:
                self._reap()
                waiting = self._start(waiting)
                time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt as stopped:
            self._pass_on(getattr(stopped, "signal", signal.SIGINT))
            raise

    def _start(self, waiting: list[Work]) -> list[Work]:
        """Begins what can be; returns what still waits."""
        unfinished = {work.job.name for work in waiting}
        unfinished |= {job.name for job, _ in self._processes.values()}
        left = []
        for work in waiting:
            broken = [name for name in work.after if name in self.failed]
            slot = next((x for x in range(self._slots) if x not in self._processes), None)
            if broken:
                self.failed[work.job.name] = f"{broken[0]} has failed"
            elif slot is None or unfinished & {*work.after} or self._is_running(work.job):
                left.append(work)
            else:
                self._begin(slot, work.job)
        return left

    def _is_running(self, job: Job) -> bool:
        """Whether somebody else works on it: a process of an earlier call, or of another user."""
        if job_process(self._folder, job) is None and not self._in_use(job):
            return False
        if job.name not in self._waited_for:
            self._say(f"{job.name}: another process works on it; waiting for it")
            self._waited_for.add(job.name)
        return True

    def _begin(self, slot: int, job: Job) -> None:
        log = self._folder / f"{job.name}.log"
        with open(log, "ab") as output:
            output.write(f"$ {job.shown}\n".encode())
            output.flush()
            process = subprocess.Popen(
                job.process,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._device(slot)},
                # A signal to this process is passed on once, not by the terminal as well.
                start_new_session=True,
                preexec_fn=self._pinned(slot),
            )
        note = {"pid": process.pid, "created": psutil.Process(process.pid).create_time()}
        write_atomically(self._folder / f"{job.name}.json", json.dumps(note) + "\n")
        self._processes[slot] = job, process
        self._say(f"{job.name}: begun; log: {log}")

    def _pinned(self, slot: int) -> Callable[[], None] | None:
        """What puts a process on its share of the cores; None where one process has them all."""
        if self._slots == 1 or not hasattr(os, "sched_setaffinity"):
            return None
        cores = sorted(os.sched_getaffinity(0))
        own = set(cores[slot % len(cores) :: self._slots]) or set(cores)
        return lambda: os.sched_setaffinity(0, own)

    def _device(self, slot: int) -> dict[str, str]:
        """The accelerator of a process, where CUDA_VISIBLE_DEVICES lists several."""
        devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        if self._slots == 1 or len(devices) < 2:
            return {}
        return {"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)]}

    def _reap(self) -> None:
        for slot, (job, process) in list(self._processes.items()):
            status = process.poll()
            if status is None:
                continue
            del self._processes[slot]
            if status:
                self.failed[job.name] = _ending(status, self._folder / f"{job.name}.log")
                self._say(f"{job.name}: {self.failed[job.name]}")
            else:
                self._say(f"{job.name}: done")

    def _pass_on(self, number: int) -> None:
        """Ends the processes as this one is ended; training saves first."""
        for job, process in self._processes.values():
            self._say(f"{job.name}: told to stop")
            process.send_signal(number)
        for _, process in self._processes.values():
            process.wait()


def job_process(folder: pathlib.Path, job: Job) -> psutil.Process | None:
    """The process of a job that some call has begun and that still runs.

    Args:
      folder: where notes on processes are.
      job: the job.
    """
    note = folder / f"{job.name}.json"
    if not note.is_file():
        return None
    found: dict[str, Any] = read_object(note, "delete it")
    try:
        process = psutil.Process(found["pid"])
        is_it = process.create_time() == found["created"]
        return process if is_it and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _ending(status: int, log: pathlib.Path) -> str:
    """How a process ended that did not succeed, in a line."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = lines[-1][:_LONGEST_LINE] if lines else ""
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    return f"ended with {how}: {said}"
