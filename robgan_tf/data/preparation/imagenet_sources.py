"""Finds ImageNet-143 in what people have of ILSVRC2012."""

import pathlib

from robgan_tf.data.preparation.class_folders import items_of_synsets
from robgan_tf.data.preparation.imagenet143 import TRAIN, VAL, class_names, classes
from robgan_tf.data.preparation.plan import Item, Plan, mixed
from robgan_tf.data.preparation.tar_files import (
    TRAIN_TAR,
    VAL_TAR,
    items_of_flat_val,
    items_of_synset_tars,
    items_of_train_tar,
    items_of_val_tar,
)
from robgan_tf.data.preparation.tfds_records import (
    find_prepared,
    image_of_example,
    items_of_prepared,
)
from robgan_tf.data.skipped import SkippedFiles
from robgan_tf.errors import UserError
from robgan_tf.typing import PathLike

LAYOUTS = (
    f"{TRAIN_TAR} and {VAL_TAR}; train/ and val/ of synset folders (n02085620, ...) or of the "
    "unpacked tars; or a folder of TensorFlow Datasets with imagenet2012 or imagenet_resized/64x64"
)


def plan_of_imagenet(source: PathLike) -> Plan:
    """Lists the images of the 143 classes below a folder, whichever of `LAYOUTS` it has.

    Raises:
      UserError: if it has none of them, or a file of them is damaged.
    """
    source = pathlib.Path(source)
    if not source.is_dir():
        raise UserError(f"--source={source} is no folder; give one that holds {LAYOUTS}")
    synsets = [each.synset for each in classes()]
    skipped = SkippedFiles()
    splits = {
        split: items
        for split, items in (
            (TRAIN, _train(source, synsets, skipped)),
            (VAL, _val(source, synsets, skipped)),
        )
        if items
    }
    if splits:
        found = {item.label for items in splits.values() for item in items}
        folders = tuple(x if label in found else "" for label, x in enumerate(synsets))
        return _plan(f"files below {source}", folders, splits, skipped)
    prepared = find_prepared(source)
    if prepared is None:
        raise UserError(f"--source={source} holds none of the images; it should hold {LAYOUTS}")
    splits, names = items_of_prepared(prepared)
    folders = tuple(names.get(label, "") for label in range(len(synsets)))
    return _plan(f"records in {prepared}", folders, splits, skipped, image_of_example)


def _plan(
    source: str, folders: tuple[str, ...], splits: dict[str, list[Item]], *rest: object
) -> Plan:
    ordered = {split: mixed(items) for split, items in splits.items()}
    return Plan(source, class_names(), folders, ordered, *rest)  # type: ignore[arg-type]


def _train(source: pathlib.Path, synsets: list[str], skipped: SkippedFiles) -> list[Item]:
    if (source / TRAIN_TAR).is_file():
        return items_of_train_tar(source / TRAIN_TAR, synsets)
    for folder in (source / TRAIN, source):
        if tars := [path for x in synsets if (path := folder / f"{x}.tar").is_file()]:
            return items_of_synset_tars(tars, synsets)
        if any((folder / x).is_dir() for x in synsets):
            return items_of_synsets(folder, synsets, skipped)
    return []


def _val(source: pathlib.Path, synsets: list[str], skipped: SkippedFiles) -> list[Item]:
    if (source / VAL_TAR).is_file():
        return items_of_val_tar(source / VAL_TAR, synsets, skipped)
    folder = source / VAL
    if any((folder / x).is_dir() for x in synsets):
        return items_of_synsets(folder, synsets, skipped)
    return items_of_flat_val(folder, synsets, skipped) if folder.is_dir() else []
