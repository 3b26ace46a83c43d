"""A set of generated images on disk: PNGs in class folders, or one npz.

Both are what the finetune command takes as `--generated`. Beside the images it is written what made
them, so that an interrupted folder can be continued and nothing else is mixed into it.
"""

import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from robgan_tf.data.generated import MADE_BY
from robgan_tf.errors import UserError
from robgan_tf.files import read_npz, write_atomically
from robgan_tf.json_file import read_object
from robgan_tf.models.players import Generator
from robgan_tf.quality.generated_set import generated_labels, generated_set
from robgan_tf.reporting import png
from robgan_tf.reporting.bar import counted
from robgan_tf.sampling.image_files import cannot_be_written, write_result
from robgan_tf.typing import JsonObject, PathLike

RECORD_NAME = f"{MADE_BY}.json"


def write_folder(
    directory: PathLike,
    generator: Generator,
    class_names: Sequence[str],
    record: JsonObject,
    batch_size: int = 100,
) -> int:
    """Writes images as `<directory>/<class name>/00000123.png`, those that are not there yet.

    The number is that of the image in the `generated_set`. A generator without classes has its
    images in the directory itself.

    Args:
      directory: where they go; new, empty, or begun with the same record.
      generator: a built `models.Generator`.
      class_names: of its classes; empty if it has none.
      record: dict of what makes the images: "images", their number, "seed", "truncation",
        "classes", those of the generator, and whatever else must stay the same.
      batch_size: images at a time.

    Returns:
      How many were written now.

    Raises:
      UserError: if the directory holds something else or cannot be written, or a class name cannot
        be that of a folder.
    """
    directory = pathlib.Path(directory)
    _claim(directory, record)
    paths = _paths(directory, record, class_names)
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    # From the start of a batch, so that the images are rounded as they would have been.
    first = missing[0] // batch_size * batch_size if missing else len(paths)
    batches = _batches(generator, record, batch_size, first)
    images = (image for batch, _ in batches for image in batch)
    for path, image in zip(paths[first:], images, strict=True):
        if not path.exists():
            write_result(path, png(image))
    return len(missing)


def write_npz(
    path: PathLike, generator: Generator, record: JsonObject, batch_size: int = 100
) -> int:
    """Writes images as one file, unless it is there already.

    Its arrays are `image` uint8 [N, H, W, C], `label` int32 [N] and `made_by`, the record as JSON.

    Args:
      path: the file.
      generator: a built `models.Generator`.
      record: as in `write_folder`.
      batch_size: images at a time.

    Returns:
      How many images were written now.

    Raises:
      UserError: if the file holds something else or cannot be written.
    """
    path = pathlib.Path(path)
    if path.exists():
        _check_record(path, _record_of_npz(path), record)
        return 0
    _make_directory(path.parent)
    images, labels = zip(*_batches(generator, record, batch_size), strict=True)
    arrays: dict[str, Any] = {
        "image": np.concatenate(images),
        "label": np.concatenate(labels),
        MADE_BY: np.array(json.dumps(record)),
    }
    try:
        write_atomically(path, lambda file: np.savez(file, **arrays))
    except OSError as error:
        raise cannot_be_written(path, error) from error
    return len(arrays["label"])


def _batches(
    generator: Generator, record: JsonObject, batch_size: int, first: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    count, seed, truncation = (record[name] for name in ("images", "seed", "truncation"))
    batches = generated_set(generator, count, seed, batch_size, truncation, first)
    return counted(batches, lambda batch: len(batch[1]), count, first)


def _paths(
    directory: pathlib.Path, record: JsonObject, class_names: Sequence[str]
) -> list[pathlib.Path]:
    labels = generated_labels(record["images"], record["seed"], len(class_names))
    folders = [directory / _folder_name(name) for name in class_names] or [directory]
    return [folders[label] / f"{number:08d}.png" for number, label in enumerate(labels)]


def _folder_name(class_name: str) -> str:
    if "/" in class_name or class_name.startswith("."):
        raise UserError(f"class name {class_name!r} cannot be that of a folder: give --format=npz")
    return class_name


def _claim(directory: pathlib.Path, record: JsonObject) -> None:
    """Makes the directory one of this record, or finds that it is one."""
    path = directory / RECORD_NAME
    if path.exists():
        _check_record(directory, read_object(path, "give another --output_dir"), record)
        return
    _make_directory(directory)
    # A name with a dot is what a killed process had not finished.
    if any(not entry.name.startswith(".") for entry in directory.iterdir()):
        raise UserError(
            f"{directory} holds files, and no {RECORD_NAME} that says what made them: give another "
            "--output_dir"
        )
    write_result(path, json.dumps(record, indent=1) + "\n")


def _make_directory(directory: pathlib.Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_be_written(directory, error) from error


def _record_of_npz(path: pathlib.Path) -> Any:
    try:
        return json.loads(str(read_npz(path, [MADE_BY])[MADE_BY]))
    except ValueError as error:
        raise UserError(
            f"{path} exists already and does not say what made it: give another --output_dir"
        ) from error


def _check_record(path: pathlib.Path, found: Any, record: JsonObject) -> None:
    found = found if isinstance(found, dict) else {}
    different = sorted(name for name in {*found, *record} if found.get(name) != record.get(name))
    if different:
        raise UserError(
            f"{path} holds other images (they differ in {', '.join(different)}): remove it, or "
            "give another --output_dir"
        )
