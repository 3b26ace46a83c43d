"""Batches spread over devices: each is computed whole on one of them.

No batch is cut: what is computed for an image is the same, to the last bit, whatever the number of
devices, and none waits for another.
"""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")


def spread(
    batches: Sequence[np.ndarray], calls: Sequence[Callable[[np.ndarray], Result]]
) -> Iterator[tuple[np.ndarray, float, Result]]:
    """Computes batches, each on the device that is free first.

    Args:
      batches: positions of images.
      calls: for each device the function that computes a batch there.

    Yields:
      (batch, seconds since the one before, what the function returned), in the order in which they
      are done.
    """
    last = time.perf_counter()
    for batch, result in (
        _one_by_one(batches, calls[0]) if len(calls) == 1 else _at_once(batches, calls)
    ):
        now = time.perf_counter()
        yield batch, now - last, result
        last = time.perf_counter()


def _one_by_one(
    batches: Sequence[np.ndarray], call: Callable[[np.ndarray], Result]
) -> Iterator[tuple[np.ndarray, Result]]:
    for batch in batches:
        yield batch, call(batch)


def _at_once(
    batches: Sequence[np.ndarray], calls: Sequence[Callable[[np.ndarray], Result]]
) -> Iterator[tuple[np.ndarray, Result]]:
    free: queue.SimpleQueue[Callable[[np.ndarray], Result]] = queue.SimpleQueue()
    for call in calls:
        free.put(call)

    def compute(batch: np.ndarray) -> Result:
        call = free.get()
        try:
            return call(batch)
        finally:
            free.put(call)

    pool = ThreadPoolExecutor(len(calls), thread_name_prefix="replica")
    try:
        under_way: dict[Future[Result], np.ndarray] = {
            pool.submit(compute, batch): batch for batch in batches
        }
        for done in as_completed(under_way):
            yield under_way.pop(done), done.result()
    finally:
        # Whoever stops early, by an error or a signal, need not wait for what had not begun.
        pool.shutdown(wait=False, cancel_futures=True)
