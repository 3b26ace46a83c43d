"""Record files, written aside and renamed when they are whole, so that a preparation can go on.

Beside each finished one stands what it holds, written before it gets its name: a record file that
has its name is complete.
"""

import concurrent.futures
import io
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from robgan_tf.data.preparation.picture import Stored, StoredForm, stored_picture
from robgan_tf.data.preparation.plan import Item, sizes_digest
from robgan_tf.data.record_index import FOLDER as INDEX
from robgan_tf.errors import one_line
from robgan_tf.files import flush_to_disk, write_atomically
from robgan_tf.json_file import read_object

IMAGES_IN_FILE = 2048
OUTCOME = ".outcome"
SIZES = "source_sizes"


class Shard(NamedTuple):
    """One record file that is to be.

    Attributes:
      path: where it belongs.
      items: what it is made of.
    """

    path: pathlib.Path
    items: Sequence[Item]


class Outcome(NamedTuple):
    """What a record file has become.

    Attributes:
      size: its bytes.
      labels: the label of each of its records.
      unreadable: (where, why) of each image that could not be read.
      small: how many images are smaller than was asked for.
    """

    size: int
    labels: list[int]
    unreadable: list[tuple[str, str]]
    small: int


def shards_of(folder: pathlib.Path, name: str, split: str, items: Sequence[Item]) -> list[Shard]:
    """Divides a split into record files of TensorFlow Datasets."""
    count = max(1, -(-len(items) // IMAGES_IN_FILE))
    return [
        Shard(
            folder / f"{name}-{split}.tfrecord-{number:05}-of-{count:05}",
            items[number * IMAGES_IN_FILE : (number + 1) * IMAGES_IN_FILE],
        )
        for number in range(count)
    ]


def outcome_path(shard: Shard) -> pathlib.Path:
    """Where it stands what a record file holds, while the data set is not finished."""
    return shard.path.with_name(f"{shard.path.name}{OUTCOME}")


def finished(shard: Shard) -> Outcome | None:
    """What a record file has become; None if it has to be made.

    Images that could not be read may have been mended, others have been replaced: it is made anew
    with them.
    """
    if not shard.path.exists() or not outcome_path(shard).exists():
        return None
    stored = read_object(outcome_path(shard), "remove it, and the same command makes it anew")
    if set(stored) != {*Outcome._fields, SIZES} or stored["unreadable"]:
        return None
    if stored["size"] != shard.path.stat().st_size or stored[SIZES] != sizes_digest(shard.items):
        return None
    return Outcome(stored["size"], stored["labels"], [], stored["small"])


def make(shard: Shard, features: Any, converted: Iterator[tuple[Item, Stored]]) -> Outcome:
    """Makes a record file.

    Args:
      shard: which.
      features: of TensorFlow Datasets, that write its records.
      converted: its items and what is stored of them; of those behind them none is taken.

    Returns:
      What it has become; an image that cannot be read is left out of it.
    """
    temporary = shard.path.with_name(f".{shard.path.name}.{os.getpid()}")
    labels: list[int] = []
    unreadable: list[tuple[str, str]] = []
    small = 0
    sizes = sizes_digest(shard.items)
    try:
        with tf.io.TFRecordWriter(os.fspath(temporary)) as writer:
            for item, stored in itertools.islice(converted, len(shard.items)):
                if stored.encoded is None:
                    unreadable.append((item.location, stored.reason))
                    continue
                writer.write(features.serialize_example(example_of(item, stored.encoded)))
                labels.append(item.label)
                small += stored.is_small
        flush_to_disk(temporary)
        outcome = Outcome(temporary.stat().st_size, labels, unreadable, small)
        write_atomically(outcome_path(shard), json.dumps({**outcome._asdict(), SIZES: sizes}))
        # It would tell of what was there before, if that was as large.
        (shard.path.parent / INDEX / f"{shard.path.name}.npz").unlink(missing_ok=True)
        os.replace(temporary, shard.path)
        flush_to_disk(shard.path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return outcome


def convert_all(
    shards: Iterable[Shard],
    content: Callable[[bytes], bytes],
    form: StoredForm,
    executor: concurrent.futures.Executor,
) -> Iterator[tuple[Item, Stored]]:
    """Passes on the items of record files with what is stored of them, in their order.

    Args:
      shards: which.
      content: function from an item's bytes to those of the image file in them.
      form: how images are stored.
      executor: whose threads read and convert images, of one record file at a time.
    """

    def convert(item: Item) -> Stored:
        try:
            data = item.read()
        except OSError as error:
            return Stored(None, one_line(error), False)
        return stored_picture(content(data), form)

    for shard in shards:
        yield from zip(shard.items, executor.map(convert, shard.items), strict=True)


def example_of(item: Item, encoded: bytes) -> dict[str, Any]:
    """The example that TensorFlow Datasets stores of an item."""
    return {"id": item.key, "image": io.BytesIO(encoded), "label": item.label}
