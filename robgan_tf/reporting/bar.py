"""A bar on a terminal, and plain lines in a log."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

_LINES = 10

Batch = TypeVar("Batch")


def bar(total: int, first: int, stream: TextIO, **style: Any) -> tqdm:
    """Draws a bar if the stream is a terminal; elsewhere it is disabled and draws nothing.

    Args:
      total: steps in the end.
      first: steps done before.
      stream: where to draw it.
      **style: further arguments of tqdm.
    """
    return tqdm(total=total, initial=first, file=stream, dynamic_ncols=True, disable=None, **style)


def counted(
    batches: Iterable[Batch], size: Callable[[Batch], int], total: int, first: int = 0
) -> Iterator[Batch]:
    """Passes on batches and shows how many images there have been: a line every tenth in a log.

    Args:
      batches: iterable.
      size: function from a batch to its number of images.
      total: images in the end.
      first: images that were there before.

    Yields:
      The batches.
    """
    done = first
    with bar(total, first, sys.stdout, unit=" images") as shown:
        for batch in batches:
            yield batch
            before, done = done, done + size(batch)
            shown.update(done - before)
            if shown.disable and done * _LINES // total > before * _LINES // total:
                print(f"  {done}/{total} images", flush=True)
