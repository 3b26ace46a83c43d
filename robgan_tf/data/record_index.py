"""Where in its files each example of a data set of TensorFlow Datasets is, and what class it has.

Record files say no more than how long each record is, so one pass over them finds the places; it is
kept beside them, in the folder `record_index`, and made anew where a file has another size.
"""

import os
import pathlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from robgan_tf.data.tfds_features import is_text
from robgan_tf.errors import UserError, one_line
from robgan_tf.files import read_npz, write_atomically

FOLDER = "record_index"
ID_FEATURES = ("id", "file_name")
# A record is its length in 8 bytes, their checksum in 4, the data, and its checksum in 4.
HEAD, TAIL = 12, 4
_BATCH = 256  # records
_SIZE = "file_size"
_DTYPES = {"offsets": np.int64, "sizes": np.int64, "labels": np.int32, "fingerprints": np.int64}


class RecordIndex(NamedTuple):
    """The records of a split, in stored order.

    Attributes:
      files: paths of the record files.
      owners: int32 [N], which file each record is in.
      offsets: int64 [N], where its data begins.
      sizes: int64 [N], the bytes of its data.
      labels: int32 [N].
      fingerprints: int64 [N], of the encoded images: equal for images that are exactly alike.
      ids: str [N], the names that the data set gives its images; None if it gives none.
    """

    files: tuple[str, ...]
    owners: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray
    fingerprints: np.ndarray
    ids: np.ndarray | None


def index_of_split(builder: Any, split: str) -> RecordIndex:
    """Finds the records of a split, or of a part of one such as "train[:10%]".

    Args:
      builder: of TensorFlow Datasets, prepared as TFRecord files.
      split: its name.

    Raises:
      UserError: if a file is damaged, or holds another number of records than it should.
    """
    has_id = next((x for x in ID_FEATURES if is_name(builder.info.features, x)), None)
    files: list[str] = []
    owners: list[np.ndarray] = []
    found: list[dict[str, np.ndarray]] = []
    for instruction in builder.info.splits[split].file_instructions:
        path = os.fspath(instruction.filename)
        of_file = _index_of_file(pathlib.Path(path), has_id)
        count = len(of_file["labels"])
        if count != instruction.examples_in_shard:
            raise UserError(
                f"{path} holds {count} records, and {instruction.examples_in_shard} are told of in "
                "dataset_info.json: prepare the data set again"
            )
        part = slice(instruction.skip, instruction.skip + instruction.take)
        found.append({name: values[part] for name, values in of_file.items()})
        owners.append(np.full(len(found[-1]["labels"]), len(files), np.int32))
        files.append(path)

    def joined(name: str) -> np.ndarray:
        return np.concatenate([of_file[name] for of_file in found])

    return RecordIndex(
        tuple(files),
        np.concatenate(owners),
        joined("offsets"),
        joined("sizes"),
        joined("labels"),
        joined("fingerprints"),
        joined("ids") if has_id else None,
    )


def is_name(features: Any, name: str) -> bool:
    """Whether examples have a text of this name."""
    return name in features and is_text(features[name])


def _index_of_file(path: pathlib.Path, id_feature: str | None) -> dict[str, np.ndarray]:
    """Arrays of `RecordIndex` for one file, as they are kept beside it or made now."""
    size = path.stat().st_size
    kept = path.parent / FOLDER / f"{path.name}.npz"
    names = [*_DTYPES, *(["ids"] if id_feature else [])]
    if kept.exists():
        try:
            stored = read_npz(kept, [*names, _SIZE])
        except ValueError:
            stored = {_SIZE: np.array(-1)}  # Of another version, or damaged: it is made anew.
        if stored.pop(_SIZE) == size:
            return stored
    made = _made(path, id_feature)
    try:
        kept.parent.mkdir(exist_ok=True)
        whole: Any = {**made, _SIZE: np.array(size)}
        write_atomically(kept, lambda file: np.savez(file, **whole))
    except OSError as error:
        logging.warning(
            "%s cannot be written (%s): the data is read through at every start.", kept, error
        )
    return made


def _made(path: pathlib.Path, id_feature: str | None) -> dict[str, np.ndarray]:
    """The same by one pass over the file, whose checksums it checks."""
    spec = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    if id_feature:
        spec[id_feature] = tf.io.FixedLenFeature([], tf.string)

    @tf.autograph.experimental.do_not_convert
    def described(records: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(records, spec)
        return {
            "sizes": tf.cast(tf.strings.length(records), tf.int64),
            "labels": tf.cast(parsed["label"], tf.int32),
            "fingerprints": encoded_fingerprints(parsed["image"]),
            **({"ids": parsed[id_feature]} if id_feature else {}),
        }

    records = tf.data.TFRecordDataset(os.fspath(path)).batch(_BATCH)
    try:
        batches = list(records.map(described, num_parallel_calls=2).as_numpy_iterator())
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise UserError(
            f"{path} is damaged, or its images are no encoded ones ({one_line(error)}): prepare "
            "the data set again"
        ) from error
    made = {
        name: np.concatenate([batch[name] for batch in batches] or [np.zeros(0)]).astype(kind)
        for name, kind in _DTYPES.items()
        if name != "offsets"
    }
    whole = made["sizes"] + HEAD + TAIL
    made["offsets"] = np.cumsum(whole) - whole + HEAD
    if id_feature:
        # Any bytes may be an id; those that are no text are shown as escapes.
        ids = [x.decode(errors="backslashreplace") for batch in batches for x in batch["ids"]]
        made["ids"] = np.array(ids, str)
    return made


def encoded_fingerprints(encoded: tf.Tensor) -> tf.Tensor:
    """Numbers that tell encoded images apart: strings [N] to int64 [N]."""
    return tf.bitcast(tf.fingerprint(encoded), tf.int64)
