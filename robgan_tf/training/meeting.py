"""Workers meet before TensorFlow connects them: its own wait has no bound and hears no signal.

Worker 0 listens where it will serve TensorFlow, the others come to it, and once all are there it
lets all of them go. Until then each holds its own port.
"""

import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Callable

from robgan_tf.errors import LostWorkerError, UserError
from robgan_tf.training.cluster import TF_CONFIG, Workers

TIMEOUT = "ROBGAN_WORKER_TIMEOUT"
USUAL_SECONDS = 600.0
_BETWEEN_LOOKS = 0.2
_CONNECTING_SECONDS = 5.0
# After so long it is said who is waited for.
_SILENT_SECONDS = 10.0
_GO = b"go"

# Raises LostWorkerError once the wait has been long enough; takes who is waited for.
Patience = Callable[[str], None]


def seconds_of_environment() -> float:
    """How long workers wait for those that have not come: ROBGAN_WORKER_TIMEOUT, or 600 s.

    Raises:
      UserError: if it is no positive number.
    """
    text = os.environ.get(TIMEOUT, "").strip()
    try:
        seconds = float(text) if text else USUAL_SECONDS
        if not seconds > 0.0:
            raise ValueError
    except ValueError as error:
        raise UserError(
            f"{TIMEOUT}={text}: a number of seconds above 0 is needed, how long workers wait for "
            "those that have not come"
        ) from error
    return seconds


def meet(workers: Workers, seconds: float) -> None:
    """Returns when all workers have come, on each of them; does nothing for one alone.

    Args:
      workers: of the run, with their addresses.
      seconds: how long to wait for them.

    Raises:
      UserError: if an address cannot be used on this machine.
      LostWorkerError: if one has not come by then.
    """
    if workers.count == 1:
        return
    patience = _patience(workers, seconds)
    with _listening(workers) as server:
        if workers.is_chief:
            _receive_all(workers, server, patience)
        else:
            _come_to_chief(workers, patience)


def _receive_all(workers: Workers, server: socket.socket, patience: Patience) -> None:
    """What worker 0 does: waits for all others, and lets them go."""
    with contextlib.ExitStack() as opened:
        came: dict[int, socket.socket] = {}
        while missing := sorted(set(range(1, workers.count)) - set(came)):
            patience(", ".join(f"{_named(workers, n)}, which has not come" for n in missing))
            ready, _, _ = select.select([server, *came.values()], [], [], _BETWEEN_LOOKS)
            # What can be read of one that waits is its end.
            came = {number: one for number, one in came.items() if one not in ready}
            if server in ready:
                one = opened.enter_context(server.accept()[0])
                number = _number_of(one)
                if number is not None:
                    came[number] = one
        for number, one in came.items():
            try:
                one.sendall(_GO)
            except OSError as error:
                raise LostWorkerError(
                    f"worker 0: {_named(workers, number)} came and has ended ({error})"
                ) from error


def _come_to_chief(workers: Workers, patience: Patience) -> None:
    """What the others do: they come to worker 0, and wait until it lets them go."""
    state = "has not come"
    while True:
        patience(f"{_named(workers, 0)}, which {state}")
        try:
            with socket.create_connection(_place(workers, 0), timeout=_CONNECTING_SECONDS) as chief:
                chief.sendall(f"{workers.index}\n".encode())
                if _may_go(chief, lambda: patience(f"{_named(workers, 0)}, which waits for more")):
                    return
            state = "has left again"
        except OSError as error:
            state = f"cannot be reached ({error})"
        time.sleep(_BETWEEN_LOOKS)


def _may_go(chief: socket.socket, look: Callable[[], None]) -> bool:
    """Waits for worker 0's word; whether it came."""
    while not select.select([chief], [], [], _BETWEEN_LOOKS)[0]:
        look()
    return chief.recv(len(_GO)) == _GO


def _number_of(one: socket.socket) -> int | None:
    """The number of the worker that has come; None where it is something else."""
    one.settimeout(_CONNECTING_SECONDS)
    try:
        return int(one.recv(16))
    except (OSError, ValueError):
        return None


def _patience(workers: Workers, seconds: float) -> Patience:
    begun, said = time.monotonic(), False

    def look(who: str) -> None:
        nonlocal said
        waited = time.monotonic() - begun
        if waited > seconds:
            raise LostWorkerError(
                f"worker {workers.index} waited {seconds:g} s for {who} ({TIMEOUT} gives it longer)"
            )
        if waited > _SILENT_SECONDS and not said:
            said = True
            line = f"worker {workers.index} waits for {who}, up to {seconds:g} s"
            print(line, file=sys.stderr, flush=True)

    return look


def _listening(workers: Workers) -> socket.socket:
    """A socket at this worker's own port, on all addresses of the machine."""
    _, port = _place(workers, workers.index)
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise UserError(
            f"{TF_CONFIG} has {_named(workers, workers.index)} on this machine, where its port "
            f"cannot be used: {error.strerror}"
        ) from error


def _named(workers: Workers, number: int) -> str:
    return f"worker {number} ({workers.addresses[number]})"


def _place(workers: Workers, number: int) -> tuple[str, int]:
    """Host and port of a worker."""
    host, _, port = workers.addresses[number].rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UserError(
            f"{TF_CONFIG} has {_named(workers, number)}, which is no host:port, such as "
            "10.0.0.1:2222"
        )
    return host.strip("[]"), int(port)
