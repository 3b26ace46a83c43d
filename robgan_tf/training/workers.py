"""What connected workers agree on, and what becomes of the others where one ends."""

import contextlib
import hashlib
import re
import signal
import threading
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from robgan_tf.errors import LostWorkerError, UserError
from robgan_tf.runs.stopping import StopRequest
from robgan_tf.training.cluster import Workers

# What calls across workers raise where one of them has ended, or one that ends after another.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


@contextlib.contextmanager
def connecting() -> Iterator[None]:
    """Around the call that connects the workers, after which signals are Python's again.

    TensorFlow then takes SIGTERM for itself, to tell other programs than this one of it.
    """
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGTERM)
            if handler is not None:
                signal.signal(signal.SIGTERM, handler)


class Agreement:
    """What all workers of a run agree on; every one of them has to ask for the same.

    A worker that is alone agrees with itself.

    Args:
      strategy: the run's strategy.
      workers: of the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy, workers: Workers) -> None:
        self._strategy = strategy
        self._workers = workers
        self._gathered = tf.function(
            self._gather, autograph=False, input_signature=[tf.TensorSpec([None], tf.int64)]
        )

    def of_chief(self, value: int) -> int:
        """The chief's value, once all workers are here."""
        return self._of_all(value)[0]

    def check_alike(self, what: str, text: str) -> None:
        """Raises UserError, on every worker, unless all have been given the same.

        Args:
          what: it is, for the message.
          text: what this worker has been given.
        """
        value = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
        values = self._of_all(value)
        others = sorted({number for number, x in enumerate(values) if x != values[0]})
        if others:
            raise UserError(
                f"{what} on replica {' and '.join(map(str, others))} is not that of the chief: "
                "start all workers by the same command, with the same files and version"
            )

    def stop_is_due(self, stop: StopRequest) -> bool:
        """Whether any worker has to stop after the step that all have just made."""
        due = stop.is_due()
        status = max(self._of_all(stop.exit_status if due else 0))
        if status and not due:
            stop.take_over(status)
        return status > 0

    def exchange(self, mine: bytes) -> list[bytes]:
        """What each worker gives, in order; of any lengths."""
        if self._workers.count == 1:
            return [mine]
        # Never of length 0, of which nothing but such would end TensorFlow's process.
        padded = np.frombuffer(mine + bytes(8 - len(mine) % 8), np.int64)
        replicas = self._strategy.num_replicas_in_sync // self._workers.count
        lengths = self._of_all(len(mine))[::replicas]
        given = self._gathered(tf.constant(padded)).numpy().tobytes()
        ends = np.cumsum([0, *(8 * (length // 8 + 1) * replicas for length in lengths)])
        return [
            given[start : start + length] for start, length in zip(ends[:-1], lengths, strict=True)
        ]

    def _of_all(self, value: int) -> list[int]:
        """The values, of 63 bits, of all replicas, in order; those of one worker's are equal."""
        if self._workers.count == 1:
            return [value]
        return self._gathered(tf.constant([value], tf.int64)).numpy().tolist()

    def _gather(self, value: tf.Tensor) -> tf.Tensor:
        values = self._strategy.run(tf.identity, args=(value,))
        return self._strategy.gather(values, axis=0)


@contextlib.contextmanager
def lost_workers_named(workers: Workers) -> Iterator[None]:
    """Makes of errors that another worker's end has caused a LostWorkerError.

    Args:
      workers: of the run.
    """
    try:
        yield
    except _LOST as error:
        text = str(error)
        if workers.count == 1 or not re.search("[Cc]ollective|heartbeat|task:", text):
            raise
        named = set(re.findall(r"/task:(\d+)", text)) - {str(workers.index)}
        who = f"worker {', '.join(sorted(named))}" if named else "another worker"
        lost = LostWorkerError(
            f"worker {workers.index}: {who} has ended or cannot be reached any more"
        )
        # What is safe has been said of the error.
        for note in getattr(error, "__notes__", []):
            lost.add_note(note)
        raise lost from error
