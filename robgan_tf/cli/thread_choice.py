"""How many cores an operation gets where a run's settings leave it open: what is faster here.

TensorFlow's threads are set once in a process, so each way is timed in a process of its own, one
after the other, on the run's own data and networks.
"""

import contextlib
import multiprocessing
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from robgan_tf.cli.parser import Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.config.finetune import FinetuneSettings
from robgan_tf.config.groups import AUTO_THREADS, ONE_PER_OPERATION, TENSORFLOW_THREADS
from robgan_tf.config.joint import TrainSettings
from robgan_tf.errors import UserError
from robgan_tf.json_file import read_object

# From a command's flags and a way, the seconds that a step takes.
Timed = Callable[[Values, str], float]

# On a machine that does other things too, what is less may be the difference of two measurements.
_GAIN = 1.1
_EITHER = f"{TENSORFLOW_THREADS!r} or {ONE_PER_OPERATION!r}"


def chosen_threads(
    given: Values,
    settings: TrainSettings | FinetuneSettings,
    run_dir: str,
    timed: Timed,
    deadline: float | None = None,
) -> str:
    """What `threads` of a stage's settings is to be.

    Args:
      given: the command's flags.
      settings: of the stage.
      run_dir: the run directory; a run that was begun goes on as it was.
      timed: function of a module, by which another process finds it.
      deadline: when the command has to have ended, on `time.monotonic`; None for never.

    Returns:
      The value, unless that is "auto".

    Raises:
      UserError: if the run is to have the same bits every time, or a process that times a step
        dies.
      Exception: what `timed` raises.
    """
    name, wanted = f"{settings.gin_name}.threads", settings.threads
    if wanted != AUTO_THREADS or given.dry_run:
        return wanted
    if settings.deterministic:
        raise UserError(
            f"{name} = {wanted!r} with {settings.gin_name}.deterministic = True: threads move the "
            f"last bits, and a timing would choose them; bind {_EITHER}"
        )
    path = pathlib.Path(run_dir) / "config.json"
    if path.exists():
        return str(read_object(path).get(name, TENSORFLOW_THREADS))
    with tensorflow_loading():
        from robgan_tf.training.threads import no_choice
    why_not = no_choice()
    if why_not is not None:
        return _left_alone(why_not)
    print(
        f"Timing     steps with every core on each operation, and with one ({name} = {wanted!r}; "
        "once a run, a minute or two for small networks) ...",
        flush=True,
    )
    seconds = []
    for way in (TENSORFLOW_THREADS, ONE_PER_OPERATION):
        found = _in_another_process(timed, given, name, way, deadline)
        if found is None:
            return _left_alone("the time given by --max_hours is over")
        seconds.append(found)
    all_cores, one_core = seconds
    chosen = ONE_PER_OPERATION if all_cores > _GAIN * one_core else TENSORFLOW_THREADS
    print(
        f"Threads    {chosen!r}: {all_cores:.3g} s a step with every core on each operation, "
        f"{one_core:.3g} s with one",
        flush=True,
    )
    return chosen


def _left_alone(why: str) -> str:
    print(f"Threads    {TENSORFLOW_THREADS!r}, not timed: {why}", flush=True)
    return TENSORFLOW_THREADS


def _in_another_process(
    timed: Timed, given: Values, name: str, way: str, deadline: float | None
) -> float | None:
    """The seconds; None where the deadline comes first."""
    spawning = multiprocessing.get_context("spawn")
    receiving, sending = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_send, args=(sending, timed, given, way), daemon=True)
    process.start()
    sending.close()
    try:
        if not receiving.poll(None if deadline is None else max(0.0, deadline - time.monotonic())):
            return None
        answer = receiving.recv()
    except EOFError as error:
        process.join()
        raise UserError(
            f"{name} = {AUTO_THREADS!r}: a process that timed a step ended with "
            f"{process.exitcode}; bind {_EITHER} (a script of your own has to call commands under "
            "if __name__ == '__main__')"
        ) from error
    finally:
        process.kill()
        process.join()
    if isinstance(answer, Exception):
        raise answer
    return float(answer)


def _send(sending: Connection, timed: Timed, given: Values, way: str) -> None:
    # Who started this process ends it, and if that is killed, it ends too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            answer: float | Exception = timed(given, way)
        except Exception as error:  # It is raised in the process that asked.
            answer = error
    sending.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
