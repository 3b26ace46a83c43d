"""What is to be prepared: every image of every split, by where its bytes are."""

import collections
import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from robgan_tf.data.skipped import SkippedFiles
from robgan_tf.files import digest


class Item(NamedTuple):
    """An image that is to be prepared.

    Attributes:
      key: its name, which no other image of the split has.
      label: its class.
      path: the file that its bytes are in.
      offset: where in the file they begin.
      size: how many there are; None for the whole file.
    """

    key: str
    label: int
    path: str
    offset: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """The bytes.

        Raises:
          OSError: if they cannot be read, or the file ends before they do.
        """
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            found = file.read() if self.size is None else file.read(self.size)
        if self.size is not None and len(found) < self.size:
            raise OSError(f"the file ends after {len(found)} of {self.size} bytes of it")
        return found

    def bytes_now(self) -> int:
        """How many bytes there are; -1 if the file cannot be reached."""
        try:
            return os.path.getsize(self.path) if self.size is None else self.size
        except OSError:
            return -1

    @property
    def location(self) -> str:
        """Where a person finds it."""
        return self.path if self.size is None else f"{self.path}: {self.key}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that a source has to be prepared.

    Attributes:
      source: where the images come from, in words.
      class_names: a label is an index into it.
      folders: by what the source calls each class; "" where it does not have it.
      splits: the items of each split, in the order in which they are stored.
      skipped: what the source holds besides.
      content: function from an item's bytes to those of the image file in them.
    """

    source: str
    class_names: tuple[str, ...]
    folders: tuple[str, ...]
    splits: dict[str, list[Item]]
    skipped: SkippedFiles
    content: Callable[[bytes], bytes] = bytes

    @functools.cached_property
    def digest(self) -> str:
        """Tells this list of images from others; where they are does not matter."""
        parts = [f"{self.class_names}"]
        for split, items in self.splits.items():
            parts.append(split)
            parts += [f"{item.key} {item.label} {item.offset} {item.size}" for item in items]
        return digest("\n".join(parts).encode())

    def counts(self, split: str) -> list[int]:
        """Images of each class in a split."""
        counted = collections.Counter(item.label for item in self.splits.get(split, ()))
        return [counted[label] for label in range(len(self.class_names))]


def sizes_digest(items: Iterable[Item]) -> str:
    """Tells images from others of the same names, by how many bytes each has."""
    return digest(" ".join(str(item.bytes_now()) for item in items).encode())


def mixed(items: Iterable[Item]) -> list[Item]:
    """Brings items into an order that mixes the classes, and that their keys alone decide."""
    return sorted(items, key=lambda item: hashlib.blake2b(item.key.encode()).digest())


def short_name(path: str) -> str:
    """The name of a file without its ending."""
    return pathlib.PurePosixPath(path).stem


def named(folders: Sequence[str]) -> str:
    """Names for a message: the first few."""
    return ", ".join(folders[:5]) + (", ..." if len(folders) > 5 else "")
