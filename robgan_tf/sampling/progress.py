"""How far the making of images is: a bar on a terminal, a line every tenth in a log."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

_LINES = 10

Batch = TypeVar("Batch")


def shown(
    batches: Iterable[Batch], size: Callable[[Batch], int], total: int, first: int = 0
) -> Iterator[Batch]:
    """Passes on batches and shows how many images have been made.

    Args:
      batches: iterable.
      size: function from a batch to its number of images.
      total: images in the end.
      first: images that were there before.

    Yields:
      The batches.
    """
    stream = sys.stdout
    bar = None
    if stream.isatty():
        bar = tqdm(total=total, initial=first, unit=" images", file=stream, dynamic_ncols=True)
    done = first
    for batch in batches:
        yield batch
        before, done = done, done + size(batch)
        if bar is not None:
            bar.update(done - before)
        elif done * _LINES // total > before * _LINES // total:
            print(f"  {done}/{total} images", flush=True)
    if bar is not None:
        bar.close()
