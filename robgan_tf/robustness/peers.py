"""The processes that share an evaluation: what they tell one another."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from robgan_tf.errors import UserError

# What one call has made of a batch.
Arrays = tuple[np.ndarray | None, ...]


class Peers:
    """The processes that make one evaluation together; this class is one that is alone.

    Every one of them makes the same calls in the same order. The first, the chief, alone reads
    what is stored, writes and prints.

    Attributes:
      index: the number of this one, from 0.
      count: how many there are.
    """

    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this one reads and writes files of the evaluation."""
        return self.index == 0

    def exchange(self, mine: bytes) -> list[bytes]:
        """What each of them gave, in order; of any lengths."""
        return [mine]

    def of_chief(self, mine: bytes) -> bytes:
        """What the chief gave."""
        return self.exchange(mine if self.is_chief else b"")[0]

    def check_alike(self, what: str, text: str) -> None:
        """Raises UserError, on every one, unless all were given the same text.

        Args:
          what: it is, for the message.
          text: what this one was given.
        """
        texts = self.exchange(text.encode())
        others = [str(number) for number, x in enumerate(texts) if x != texts[0]]
        if others:
            raise UserError(
                f"{what} of worker {' and '.join(others)} is not that of worker 0: start all "
                "workers by the same command, with the same files and version"
            )


ALONE = Peers()


def packed(results: Sequence[Arrays]) -> bytes:
    """Arrays of results as bytes that `unpacked` reads."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {
        f"{number}_{place}": array
        for number, result in enumerate(results)
        for place, array in enumerate(result)
        if array is not None
    }
    arrays["lengths"] = np.array([len(result) for result in results], np.int64)
    np.savez(file, **arrays)
    return file.getvalue()


def unpacked(content: bytes) -> list[Arrays]:
    """The results that `packed` was given."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return [
            tuple(stored.get(f"{number}_{place}") for place in range(length))
            for number, length in enumerate(stored["lengths"])
        ]
