"""Images in folders of class folders: a user's own, and ImageNet's synsets."""

import pathlib
import re
from collections.abc import Sequence

from robgan_tf.data.preparation.plan import Item, Plan, mixed, named
from robgan_tf.data.skipped import SkippedFiles, class_names_in
from robgan_tf.errors import UserError
from robgan_tf.typing import PathLike

TRAIN = "train"
# As TensorFlow Datasets has them; by the last it calls all of them together.
_SPLIT = re.compile(r"[\w-]+")
_ALL_SPLITS = "all"


def plan_of_folders(source: PathLike) -> Plan:
    """Lists the images of `<source>/<split>/<class>/`; labels are places of sorted class names.

    Raises:
      UserError: if there is no split `train`, a class has no image, another split has a class
        that `train` lacks, or a name is none that TensorFlow Datasets can have.
    """
    source = pathlib.Path(source)
    if not source.is_dir():
        raise UserError(f"--source={source} is no folder")
    splits = [name for name in class_names_in(source) if class_names_in(source / name)]
    if TRAIN not in splits:
        found = f"it holds {named(splits)}" if splits else "it holds no folder of class folders"
        raise UserError(
            f"--source={source} has no split {TRAIN!r} ({found}): expected "
            f"{source}/{TRAIN}/<class>/<image files>, and other splits beside it"
        )
    names = class_names_in(source / TRAIN)
    _check_names(source, splits, names)
    skipped = SkippedFiles()
    # What is beside the folders of the splits belongs to none of them.
    skipped.images_among(source, holds_classes=True)
    items = {}
    for split in sorted(splits, key=lambda name: (name != TRAIN, name)):
        unknown = sorted(set(class_names_in(source / split)) - set(names))
        if unknown:
            raise UserError(
                f"{source / split} has {len(unknown)} class folders that {source / TRAIN} lacks, "
                f"first {unknown[0]!r}: use the same class names in all splits"
            )
        items[split] = mixed(_items(source / split, names, skipped, prefix=f"{split}/"))
        if not items[split]:
            raise UserError(f"{source / split} has no image files: remove it or add images")
    present = {item.label for item in items[TRAIN]}
    empty = [name for label, name in enumerate(names) if label not in present]
    if empty:
        raise UserError(
            f"the class folder {source / TRAIN / empty[0]} has no image files: remove it or add "
            f"images{f'; skipped are {skipped}' if str(skipped) else ''}"
        )
    return Plan(f"folders below {source}", tuple(names), tuple(names), items, skipped)


def _check_names(source: pathlib.Path, splits: Sequence[str], names: Sequence[str]) -> None:
    """Refuses names that TensorFlow Datasets cannot have, or would change."""
    for name in splits:
        if not _SPLIT.fullmatch(name) or name == _ALL_SPLITS:
            raise UserError(
                f"--source={source} holds the split {name!r}, and a split is called by letters, "
                f"digits, _ and -, and not {_ALL_SPLITS!r}: rename it, or move it away"
            )
    for name in names:
        if name != name.strip():
            raise UserError(
                f"the class folder {name!r} in {source / TRAIN} begins or ends with a space, which "
                "TensorFlow Datasets drops: rename it"
            )


def items_of_synsets(
    folder: pathlib.Path, synsets: Sequence[str], skipped: SkippedFiles
) -> list[Item]:
    """Lists the images of a folder of synset folders; a synset's place is its label."""
    return _items(folder, synsets, skipped, prefix="")


def _items(
    folder: pathlib.Path, names: Sequence[str], skipped: SkippedFiles, prefix: str
) -> list[Item]:
    skipped.images_among(folder, holds_classes=True)
    items = []
    for label, name in enumerate(names):
        if (folder / name).is_dir():
            paths = skipped.images_among(folder / name)
            skipped.frames_of(paths)
            items += [Item(f"{prefix}{name}/{pathlib.PurePath(x).name}", label, x) for x in paths]
    return items
