"""What every command shares: its start, and how it ends for the user."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence

# Before TensorFlow is imported: its notes about absent GPUs would drown ours (those it prints all
# the same, `quiet` holds back). The commands print the devices in use; TF_CPP_MIN_LOG_LEVEL=0
# brings the notes back.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on by itself only on some processors; on others its convolutions are
# about half as fast without it, and a run's low bits would depend on the machine.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# TensorFlow would take all memory of every GPU at once, also what an evaluation beside training,
# or somebody else's program, needs. TF_FORCE_GPU_ALLOW_GROWTH=false has it so.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

from absl import app, logging
from absl.testing import flagsaver

from robgan_tf.cli.command import KEPT, Command, Kinds
from robgan_tf.errors import (
    CollapseError,
    LostWorkerError,
    NonFiniteError,
    UserError,
    machine_fault,
)
from robgan_tf.runs.stopping import StoppedError, interruptible, kept

USER_ERROR_STATUS = 2
NON_FINITE_STATUS = 3
COLLAPSE_STATUS = 4
MACHINE_STATUS = 5
LOST_WORKER_STATUS = 6
# As the shell shows a program that SIGPIPE has ended.
BROKEN_PIPE_STATUS = 141


def run(command: Command | Kinds, argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
      command: what to run.
      argv: what comes after its name; that of this process if None, which absl then takes part in
        (--pdb, --run_with_profiling).

    Returns:
      The exit status: 0 after --help, else as `finish` says; 130 or 143 if SIGINT or SIGTERM ended
      it.

    Raises:
      SystemExit: with the status, if `argv` is None.
    """
    with _own_absl_flags():
        logging.set_verbosity(logging.WARNING)
        try:
            with interruptible():
                return _run(command, argv)
        except StoppedError as stopped:
            print(f"stopped by {stopped.signal.name}: {kept(stopped) or KEPT}", file=sys.stderr)
            if argv is None:
                sys.exit(stopped.exit_status)
            return stopped.exit_status


def _run(command: Command | Kinds, argv: Sequence[str] | None) -> int:
    try:
        call = command.bound(sys.argv[1:] if argv is None else argv)
    except UserError as error:
        return _refused(error)
    except SystemExit:
        return 0  # --help was printed.
    if argv is not None:
        return finish(call)
    app.run(lambda call: finish(call), flags_parser=lambda _: call)


def finish(call: Callable[[], int]) -> int:
    """Makes a call and turns the ways it can end into an exit status.

    A UserError ends as one line on standard error and status 2, a NonFiniteError likewise with
    status 3, a CollapseError with status 4, without tracebacks; a full disk, lack of memory, other
    faults of the machine as one line with what is safe, and status 5; a LostWorkerError likewise
    with status 6; where nobody reads the output
    any more (`| head`), the command ends in silence with status 141. Any other exception is a
    fault of this package and shows one.

    Args:
      call: returns an exit status.

    Returns:
      The exit status.
    """
    try:
        status = call()
        sys.stdout.flush()
        return status
    except UserError as error:
        return _refused(error)
    except BrokenPipeError:
        # What is still unwritten would be tried again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE_STATUS
    except NonFiniteError as error:
        print(f"stopped, nothing of this step is saved: {error}", file=sys.stderr)
        return NON_FINITE_STATUS
    except CollapseError as error:
        print(f"stopped by an alarm and saved: {error}", file=sys.stderr)
        return COLLAPSE_STATUS
    except LostWorkerError as error:
        print(f"stopped: {error}. Start all workers again: {kept(error) or KEPT}", file=sys.stderr)
        return LOST_WORKER_STATUS
    except Exception as error:
        fault = machine_fault(error)
        if fault is None:
            raise
        print(f"stopped: {fault}. Once that is mended: {kept(error) or KEPT}", file=sys.stderr)
        return MACHINE_STATUS


def _refused(error: UserError) -> int:
    # What was given, or names of files and classes, may hold line breaks and codes for terminals.
    shown = "".join(x if x.isprintable() else ascii(x)[1:-1] for x in str(error))
    print(f"error: {shown}", file=sys.stderr)
    return USER_ERROR_STATUS


@contextlib.contextmanager
def _own_absl_flags() -> Iterator[None]:
    """What absl's flags are set to in a `with` block holds in it only."""
    before = flagsaver.save_flag_values()
    try:
        yield
    finally:
        # What was imported meanwhile may have flags of its own, which stay.
        flagsaver.restore_flag_values({**flagsaver.save_flag_values(), **before})
