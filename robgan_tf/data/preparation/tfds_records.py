"""Images in prepared data sets of TensorFlow Datasets: imagenet2012, and imagenet_resized/64x64.

Their classes are found by synset or name, never by index: imagenet_resized has an order of its own.
"""

import pathlib
from typing import Any

import tensorflow as tf
from google.protobuf.json_format import ParseError

from robgan_tf.data.preparation.imagenet143 import TRAIN, VAL, label_of
from robgan_tf.data.preparation.plan import Item, short_name
from robgan_tf.data.record_index import index_of_split
from robgan_tf.data.tfds_files import check_feature_classes
from robgan_tf.errors import UserError, one_line

_INFO = "dataset_info.json"
# What is looked for below a folder of prepared data sets, the best first.
_KNOWN = ("imagenet2012/*", "imagenet_resized/64x64/*")
_SPLITS = {TRAIN: TRAIN, VAL: "validation"}


def find_prepared(source: pathlib.Path) -> pathlib.Path | None:
    """The folder of a prepared data set, which `source` is or holds; None if there is none."""
    if (source / _INFO).is_file():
        return source
    for pattern in _KNOWN:
        if found := sorted(path.parent for path in source.glob(f"{pattern}/{_INFO}")):
            return found[-1]
    return None


def items_of_prepared(folder: pathlib.Path) -> tuple[dict[str, list[Item]], dict[int, str]]:
    """Lists the images of the 143 classes in a prepared data set.

    Args:
      folder: of its version, which holds its record files.

    Returns:
      (items by split, name in the data set by label).

    Raises:
      UserError: if it has none of the classes, or no images that can be found in its files.
    """
    import tensorflow_datasets as tfds

    # Its features name classes that would be imported.
    check_feature_classes(folder.name, str(folder.parent))
    try:
        builder = tfds.builder_from_directory(str(folder))
    except (ValueError, OSError, RuntimeError, ParseError) as error:
        raise UserError(f"--source: {folder} cannot be opened: {one_line(error)}") from error
    labels, names = _labels(builder, folder)
    items = {}
    for split, theirs in _SPLITS.items():
        if theirs in builder.info.splits:
            items[split] = _items(builder, theirs, split, labels)
    return items, names


def image_of_example(record: bytes) -> bytes:
    """The encoded image in a record."""
    return tf.train.Example.FromString(record).features.feature["image"].bytes_list.value[0]


def _labels(builder: Any, folder: pathlib.Path) -> tuple[dict[int, int], dict[int, str]]:
    """Our label by theirs, and their name by our label."""
    info = builder.info
    if "label" not in info.features or info.file_format.value != "tfrecord":
        raise UserError(
            f"--source: {folder} has no labels, or is not in TFRecord files, but in those of "
            f"{info.file_format.value}: give imagenet2012 or imagenet_resized/64x64 as TFRecord"
        )
    ours = label_of()
    labels, names = {}, {}
    for theirs, name in enumerate(info.features["label"].names):
        label = ours.get(name, ours.get(name.lower().replace(" ", "_")))
        if label is not None:
            labels[theirs], names[label] = label, name
    if not labels:
        raise UserError(f"--source: {folder} ({info.name}) has none of the 143 classes")
    return labels, names


def _items(builder: Any, theirs: str, split: str, labels: dict[int, int]) -> list[Item]:
    index = index_of_split(builder, theirs)
    items = []
    for place, label in enumerate(index.labels.tolist()):
        if label in labels:
            key = f"{split}_{place:07}" if index.ids is None else short_name(index.ids[place])
            path = index.files[index.owners[place]]
            where = int(index.offsets[place]), int(index.sizes[place])
            items.append(Item(key, labels[label], path, *where))
    return items
