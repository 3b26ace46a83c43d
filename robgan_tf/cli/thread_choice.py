"""How many cores an operation gets where a run's settings leave it open: what is faster here.

TensorFlow's threads are set once in a process, so each way is timed in a process of its own, one
after the other, on the run's own data and networks.
"""

import contextlib
import multiprocessing
import os
import pathlib
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

from robgan_tf.cli.parser import Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.config.groups import AUTO_THREADS, ONE_PER_OPERATION, TENSORFLOW_THREADS
from robgan_tf.errors import UserError
from robgan_tf.json_file import read_object

# From a command's flags and a way, the seconds that a step takes.
Timed = Callable[[Values, str], float]

# What is less is the difference of two measurements.
_GAIN = 1.03


def chosen_threads(given: Values, name: str, wanted: str, run_dir: str, timed: Timed) -> str:
    """What `threads` of a stage's settings is to be.

    Args:
      given: the command's flags.
      name: of the setting, as in gin.
      wanted: its value.
      run_dir: the run directory; a run that was begun goes on as it was.
      timed: function of a module, by which another process finds it.

    Returns:
      The value, unless that is "auto".

    Raises:
      UserError: as `timed` does.
    """
    if wanted != AUTO_THREADS or given.dry_run:
        return wanted
    path = pathlib.Path(run_dir) / "config.json"
    if path.exists():
        return str(read_object(path).get(name, TENSORFLOW_THREADS))
    with tensorflow_loading():
        from robgan_tf.training.threads import is_choice
    if not is_choice():
        return TENSORFLOW_THREADS
    print(
        f"Timing     steps with every core on each operation, and with one ({name} = {wanted!r}; "
        "once a run, a minute or two for small networks) ...",
        flush=True,
    )
    all_cores, one_core = (
        _in_another_process(timed, given, way) for way in (TENSORFLOW_THREADS, ONE_PER_OPERATION)
    )
    chosen = ONE_PER_OPERATION if all_cores > _GAIN * one_core else TENSORFLOW_THREADS
    print(
        f"Threads    {chosen!r}: {all_cores:.3g} s a step with every core on each operation, "
        f"{one_core:.3g} s with one",
        flush=True,
    )
    return chosen


def _in_another_process(timed: Timed, given: Values, way: str) -> float:
    spawning = multiprocessing.get_context("spawn")
    receiving, sending = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_send, args=(sending, timed, given, way), daemon=True)
    process.start()
    sending.close()
    try:
        answer = receiving.recv()
    except EOFError:
        process.join()
        answer = RuntimeError(f"the process that timed a step ended with {process.exitcode}")
    finally:
        process.kill()
        process.join()
    if isinstance(answer, Exception):
        raise answer
    return float(answer)


def _send(sending: Connection, timed: Timed, given: Values, way: str) -> None:
    # Who started this process ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            answer: float | Exception = timed(given, way)
        except UserError as error:
            answer = error
    sending.send(answer)
