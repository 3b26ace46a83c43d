"""The next item is made while the one before is used."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yields items in their order, each made in another thread while the one before is used.

    Of images whose features are extracted: the next batch is decoded, or made by G, meanwhile. One
    more item than is used is held; what making one raises is raised here, in its place.

    Args:
      items: what is made; only the other thread asks for them.
    """
    iterator = iter(items)
    end: Any = object()
    other = ThreadPoolExecutor(1, "ahead")
    try:
        waited_for = other.submit(next, iterator, end)
        while (item := waited_for.result()) is not end:
            waited_for = other.submit(next, iterator, end)
            yield item
    finally:
        # Whoever stops early, by an error or a signal, need not wait for the item being made.
        other.shutdown(wait=False, cancel_futures=True)
