"""Batches spread over devices and processes: each is computed whole on one device of one of them.

No batch is cut: what is computed for an image is the same, to the last bit, whatever the number of
devices and processes. No device waits for another of its process; processes wait for one another
after as many batches as all of them have devices.
"""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Protocol, TypeVar, cast

import numpy as np

from robgan_tf.robustness.peers import ALONE, Arrays, Peers, packed, unpacked

Result = TypeVar("Result", bound=Arrays)


class Tally(Protocol):
    """Counts that every process makes of its own batches.

    Attributes:
      elsewhere: int64 [n], those of all other processes.
    """

    elsewhere: np.ndarray

    @property
    def own(self) -> np.ndarray:
        """int64 [n], those of this process."""


def spread(
    batches: Sequence[np.ndarray],
    calls: Sequence[Callable[[np.ndarray], Result]],
    peers: Peers = ALONE,
    tally: Tally | None = None,
) -> Iterator[tuple[np.ndarray, float, Result]]:
    """Computes batches, each on the device that is free first.

    Args:
      batches: positions of images; the same in all processes.
      calls: for each device of this process the function that computes a batch there, to arrays
        or None in their places; all processes have as many.
      peers: the processes that share the batches.
      tally: counts that are exchanged too.

    Yields:
      (batch, seconds since the one before, what the function returned), in the order in which they
      are done; of several processes in the order of the batches, the same in all of them.
    """
    if peers.count > 1:
        yield from _over_processes(batches, calls, peers, tally)
        return
    last = time.perf_counter()
    for batch, result in _over_devices(batches, calls):
        now = time.perf_counter()
        yield batches[batch], now - last, result
        last = time.perf_counter()


def _over_processes(
    batches: Sequence[np.ndarray],
    calls: Sequence[Callable[[np.ndarray], Result]],
    peers: Peers,
    tally: Tally | None,
) -> Iterator[tuple[np.ndarray, float, Result]]:
    """Deals batches out, one for each device of all processes at a time, and exchanges results."""
    width = peers.count * len(calls)
    for start in range(0, len(batches), width):
        began = time.perf_counter()
        wave = batches[start : start + width]
        found = dict(_over_devices(wave[peers.index :: peers.count], calls))
        counts: Arrays = () if tally is None else (tally.own,)
        mine = packed([*(found[place] for place in sorted(found)), counts])
        given = [unpacked(each) for each in peers.exchange(mine)]
        counted = [each.pop() for each in given]
        if tally is not None:
            everywhere = np.array([each[0] for each in counted], np.int64)
            tally.elsewhere = np.delete(everywhere, peers.index, axis=0).sum(axis=0)
        seconds = (time.perf_counter() - began) / len(wave)
        for place, batch in enumerate(wave):
            result = given[place % peers.count][place // peers.count]
            # What the same function returned in another process.
            yield batch, seconds, cast(Result, result)


def _over_devices(
    batches: Sequence[np.ndarray], calls: Sequence[Callable[[np.ndarray], Result]]
) -> Iterator[tuple[int, Result]]:
    """Numbers and results of batches, in the order in which they are done."""
    return _one_by_one(batches, calls[0]) if len(calls) == 1 else _at_once(batches, calls)


def _one_by_one(
    batches: Sequence[np.ndarray], call: Callable[[np.ndarray], Result]
) -> Iterator[tuple[int, Result]]:
    for number, batch in enumerate(batches):
        yield number, call(batch)


def _at_once(
    batches: Sequence[np.ndarray], calls: Sequence[Callable[[np.ndarray], Result]]
) -> Iterator[tuple[int, Result]]:
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
        under_way: dict[Future[Result], int] = {
            pool.submit(compute, batch): number for number, batch in enumerate(batches)
        }
        for done in as_completed(under_way):
            yield under_way.pop(done), done.result()
    finally:
        # Whoever stops early, by an error or a signal, need not wait for what had not begun.
        pool.shutdown(wait=False, cancel_futures=True)
