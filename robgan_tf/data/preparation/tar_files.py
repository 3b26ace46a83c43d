"""Images in tar files as ILSVRC2012 hands them out, found without unpacking any.

The training images are in a tar of one tar a synset, the validation images in a flat one, whose
labels TensorFlow Datasets brings along. No tar is compressed, so that an image is a part of a file.
"""

import os
import pathlib
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from robgan_tf.data.preparation.plan import Item, short_name
from robgan_tf.data.skipped import SkippedFiles
from robgan_tf.errors import UserError, one_line

TRAIN_TAR, VAL_TAR = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
_VAL_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")


def items_of_train_tar(path: pathlib.Path, synsets: Sequence[str]) -> list[Item]:
    """Lists the images of the tar of tars; a synset's place is its label.

    Raises:
      UserError: if it cannot be read, or ends too early.
    """
    label_of = {synset: label for label, synset in enumerate(synsets)}
    items = []
    with _opened(path) as file:
        for name, offset, size in _members(file, path):
            label = label_of.get(short_name(name))
            if label is not None and name.endswith(".tar"):
                part = _Part(file, offset, size)
                items += [
                    Item(short_name(inner), label, str(path), offset + within, length)
                    for inner, within, length in _members(part, f"{path}: {name}")
                ]
    return items


def items_of_synset_tars(paths: Iterable[pathlib.Path], synsets: Sequence[str]) -> list[Item]:
    """Lists the images of one tar a synset, unpacked out of the tar of tars.

    Raises:
      UserError: as `items_of_train_tar`.
    """
    label_of = {synset: label for label, synset in enumerate(synsets)}
    items = []
    for path in paths:
        if (label := label_of.get(path.stem)) is not None:
            with _opened(path) as file:
                found = list(_members(file, path))
            items += [Item(short_name(x), label, str(path), at, size) for x, at, size in found]
    return items


def items_of_val_tar(
    path: pathlib.Path, synsets: Sequence[str], skipped: SkippedFiles
) -> list[Item]:
    """Lists the images of the flat tar, of the classes in question.

    Raises:
      UserError: as `items_of_train_tar`.
    """
    with _opened(path) as file:
        found = list(_members(file, path))
    return list(_of_numbers(((x, str(path), at, size) for x, at, size in found), synsets, skipped))


def items_of_flat_val(
    folder: pathlib.Path, synsets: Sequence[str], skipped: SkippedFiles
) -> list[Item]:
    """Lists the images of the same tar, unpacked into one folder."""
    paths = skipped.images_among(folder)
    return list(_of_numbers(((x, x, 0, None) for x in paths), synsets, skipped))


def _of_numbers(
    found: Iterable[tuple[str, str, int, int | None]],
    synsets: Sequence[str],
    skipped: SkippedFiles,
) -> Iterator[Item]:
    label_of = {synset: label for label, synset in enumerate(synsets)}
    of_number = _val_synsets()
    for name, path, offset, size in found:
        match = _VAL_NAME.fullmatch(pathlib.PurePosixPath(name).name)
        number = int(match[1]) if match else 0
        if not 1 <= number <= len(of_number):
            skipped.add("images whose names say no place in the validation split", name)
        elif (label := label_of.get(of_number[number - 1])) is not None:
            yield Item(short_name(name), label, path, offset, size)


def _val_synsets() -> list[str]:
    """The synset of each of the 50,000 validation images."""
    import tensorflow_datasets as tfds

    listed = tfds.core.tfds_path("datasets/imagenet2012/validation_labels.txt")
    return listed.read_text().split()


def _opened(path: pathlib.Path) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _members(file: "IO[bytes] | _Part", path: object) -> Iterator[tuple[str, int, int]]:
    """Name, offset and size of each file in a tar."""
    try:
        # Uncompressed: of others no part is an image.
        with tarfile.open(fileobj=file, mode="r:") as tar:  # type: ignore[call-overload]
            for member in tar:
                if member.isfile():
                    # Any bytes may be a name; those that are no text are shown as escapes.
                    name = os.fsencode(member.name).decode(errors="backslashreplace")
                    yield name, member.offset_data, member.size
            # Behind a damaged heading `tarfile` sees none of the rest, and says nothing.
            file.seek(tar.offset)
            end = file.read(tarfile.BLOCKSIZE)
            if not end or any(end):
                raise tarfile.ReadError(f"no end after {tar.offset} bytes, nor another file")
    except (tarfile.TarError, OSError) as error:
        raise UserError(
            f"{path} is no whole uncompressed tar file ({one_line(error)}): fetch it again"
        ) from error


class _Part:
    """A part of a file, as a file of its own.

    Args:
      file: the whole.
      offset: where the part begins.
      size: its bytes.
    """

    def __init__(self, file: IO[bytes], offset: int, size: int) -> None:
        self._file, self._offset, self._size = file, offset, size
        self._at = 0

    def tell(self) -> int:
        """The position within the part."""
        return self._at

    def seek(self, position: int) -> int:
        """Goes to a position within the part."""
        self._at = position
        return position

    def read(self, size: int) -> bytes:
        """Reads at most so many bytes; none beyond the part."""
        self._file.seek(self._offset + self._at)
        found = self._file.read(max(0, min(size, self._size - self._at)))
        self._at += len(found)
        return found
