"""Images in folders: `data_dir/<split>/<class>/<file>`."""

import os
import pathlib
import threading
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image
from typing_extensions import override

from robgan_tf.data.dataset_kind import DatasetKind, DatasetRequest, OpenedDataset
from robgan_tf.data.equal_files import count_equal_files
from robgan_tf.data.image_file import (
    DECODE_ERRORS,
    EXTENSIONS,
    READABLE,
    picture_size,
    read_image,
)
from robgan_tf.data.image_file_before import read_image_by_pillow
from robgan_tf.data.skipped import SkippedFiles, class_names_in
from robgan_tf.data.sources import ImageSource
from robgan_tf.data.subsets import spaced_rows
from robgan_tf.data.threads import decoders
from robgan_tf.errors import UserError, one_line
from robgan_tf.files import digest_all
from robgan_tf.typing import PathLike

_DIGEST_BYTES = 4096  # at either end of a file

# By `data.reading`: what reads a file, and endings of the files that it is given.
_READERS = {"served": read_image, "pillow": read_image_by_pillow}
_EXTENSIONS = {"served": EXTENSIONS, "pillow": (*EXTENSIONS, *Image.registered_extensions())}


def load_image_folder(
    data_dir: str | None,
    train_split: str,
    test_split: str,
    *,
    resolution: int,
    channels: int,
    reading: str = "served",
) -> tuple["FolderSource", "FolderSource"]:
    """Lists the images below a data folder. The class names are those of the train split.

    Args:
      data_dir: folder that holds one folder for each split.
      train_split: name of the training split's folder.
      test_split: name of the test split's folder; it may lack some of the classes.
      resolution: side of the fetched images in pixels.
      channels: 1 for grayscale, 3 for RGB.
      reading: how files become pixels, one of `config.groups.READINGS`.

    Returns:
      A tuple of training `FolderSource`, test `FolderSource`.

    Raises:
      UserError: a folder is missing or empty, a class has no images, the test split has
        a class that the train split lacks, or `channels` is neither 1 nor 3.
    """
    if channels not in (1, 3):
        raise UserError(
            f"image_folder cannot give images of {channels} channels: set data.channels to "
            "3 (RGB) or 1 (grayscale)"
        )
    if data_dir is None:
        raise UserError("image_folder needs the folder of the images: pass --data_dir")
    root = pathlib.Path(data_dir)
    train_folder, test_folder = root / train_split, root / test_split
    class_names = _class_folders(train_folder, data_dir)
    test_classes = _class_folders(test_folder, data_dir)
    if unknown := sorted(set(test_classes) - set(class_names)):
        raise UserError(
            f"the test split {test_folder} has {len(unknown)} class folders that the train split "
            f"{train_folder} lacks, first {unknown[0]!r}: use the same class names in both"
        )

    skipped = SkippedFiles(_EXTENSIONS[reading])

    def source(folder: pathlib.Path, names: Sequence[str]) -> "FolderSource":
        files, labels = _list_images(folder, names, class_names, skipped)
        return FolderSource(files, labels, class_names, resolution, channels, reading)

    train, test = source(train_folder, class_names), source(test_folder, test_classes)
    skipped.report(root)
    return train, test


def load_class_folders(
    folder: PathLike, class_names: Sequence[str], *, resolution: int, channels: int
) -> "FolderSource":
    """Lists the images of one folder of class folders, for known classes.

    Args:
      folder: path of the folder.
      class_names: the classes; the folder may lack some of them.
      resolution: side of the fetched images in pixels.
      channels: 1 for grayscale, 3 for RGB.

    Returns:
      A `FolderSource`.

    Raises:
      UserError: there are no class folders, one is not of a class, or one has no images.
    """
    names = _class_folders(pathlib.Path(folder), folder)
    if unknown := sorted(set(names) - set(class_names)):
        raise UserError(
            f"the folder {folder} has {len(unknown)} class folders that are not classes of the "
            f"data, first {unknown[0]!r}: name them {', '.join(class_names[:3])}, ..."
        )
    skipped = SkippedFiles()
    files, labels = _list_images(pathlib.Path(folder), names, class_names, skipped)
    skipped.report(folder)
    return FolderSource(files, labels, class_names, resolution, channels)


def load_flat_folder(
    folder: PathLike, class_names: Sequence[str], *, resolution: int, channels: int
) -> "FolderSource":
    """Lists the images of one folder without class folders; all get the first label.

    Args:
      folder: path of the folder.
      class_names: the classes.
      resolution: side of the fetched images in pixels.
      channels: 1 for grayscale, 3 for RGB.

    Returns:
      A `FolderSource`.

    Raises:
      UserError: there are no images.
    """
    skipped = SkippedFiles()
    files = skipped.images_among(folder)
    skipped.frames_of(files)
    if not files:
        raise UserError(
            f"the folder {folder} has neither class folders nor image files" + _instead(skipped)
        )
    skipped.report(folder)
    labels = np.zeros(len(files), np.int32)
    return FolderSource(files, labels, class_names, resolution, channels)


class FolderSource(ImageSource):
    """Images decoded from files when they are fetched.

    A file that cannot be read is logged once, recorded in `corrupt_files`, and replaced
    by the next readable image of its class in stored order (after the last comes the
    first), whatever the order of fetching.

    Args:
      files: list of N paths.
      labels: integer array `[N]`.
      class_names: names of the classes.
      resolution: side of the fetched images in pixels.
      channels: 1 for grayscale, 3 for RGB.
      reading: how files become pixels, one of `config.groups.READINGS`.
    """

    def __init__(
        self,
        files: Sequence[str],
        labels: Sequence[int] | np.ndarray,
        class_names: Sequence[str],
        resolution: int,
        channels: int,
        reading: str = "served",
    ) -> None:
        super().__init__(class_names, resolution, channels)
        self._reading = reading
        self._files = list(files)
        self._labels = np.asarray(labels, np.int32)
        self._lock = threading.Lock()  # guards corrupt_files
        # Of images chosen evenly: those they were chosen from, and their positions there.
        self._whole: FolderSource | None = None
        self._rows = np.arange(len(self._files))

    @property
    @override
    def labels(self) -> np.ndarray:
        return self._labels

    @property
    @override
    def locations(self) -> np.ndarray:
        return np.array(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @override
    def subset(self, indices: np.ndarray) -> "FolderSource":
        files = [self._files[index] for index in indices]
        subset = FolderSource(
            files,
            self._labels[indices],
            self.class_names,
            self.resolution,
            self.channels,
            self._reading,
        )
        # One account of unreadable files, whichever subset came upon them.
        subset.corrupt_files, subset._lock = self.corrupt_files, self._lock
        return subset

    @override
    def evenly_spaced(self, count: int) -> "FolderSource":
        """As of any source; a class that no chosen file can be read of is taken from the others."""
        rows = spaced_rows(self._labels, count)
        chosen = self.subset(rows)
        chosen._whole, chosen._rows = self, rows
        return chosen

    @override
    def fetch_tensor(self, indices: tf.Tensor, boxes: tf.Tensor | None = None) -> tf.Tensor:
        count = indices.shape[0]
        if boxes is None:
            boxes = tf.tile([[0.0, 0.0, 1.0, 1.0]], [tf.shape(indices)[0], 1])
        images = tf.numpy_function(self.fetch, [indices, boxes], tf.uint8, stateful=False)
        images.set_shape([count, self.resolution, self.resolution, self.channels])
        return images

    @override
    def fetch(
        self, indices: Sequence[int] | np.ndarray, boxes: np.ndarray | None = None
    ) -> np.ndarray:
        parts = [None] * len(indices) if boxes is None else boxes
        return np.stack(list(decoders().map(self._read, indices, parts)))

    def content_digest(self) -> str:
        """The same of files: of their names, sizes, and first and last 4 KB.

        Decoding all of them would take longer than what the digest is to save.
        """
        return digest_all(decoders().map(_file_extract, self._files))

    @override
    def count_in(self, other: ImageSource) -> int:
        """How many of these files are in `other` too: the same file, or one of the same content."""
        if not isinstance(other, FolderSource):
            return super().count_in(other)
        return count_equal_files(self._files, other._files, decoders())

    def picture_sizes(self) -> set[tuple[int, int]]:
        """Set of the (height, width) in which images are stored, unreadable ones left out."""
        return set(filter(None, decoders().map(picture_size, self._files)))

    def check_every_class_is_readable(self) -> None:
        """Decodes one image of each class, so that a hopeless class shows at the start.

        Raises:
          UserError: a class has no readable image.
        """
        _, first_of_class = np.unique(self._labels, return_index=True)
        for start in range(0, len(first_of_class), 256):
            self.fetch(first_of_class[start : start + 256])

    def _read(self, index: int, box: Sequence[float] | None) -> np.ndarray:
        """Reads image `index`, or the first readable one of its class after it."""
        image = self._try_to_read(index, box)
        if image is not None:
            return image
        label = self._labels[index]
        same_class = np.flatnonzero(self._labels == label)
        later, earlier = same_class[same_class > index], same_class[same_class < index]
        for candidate in (*later, *earlier):
            image = self._try_to_read(candidate, box)
            if image is not None:
                return image
        if self._whole is not None:
            return self._whole._read(self._rows[index], box)
        path = self._files[index]
        raise UserError(
            f"no image of class {self.class_names[label]!r} can be read, {len(same_class)} tried, "
            f"among them {path} ({self.corrupt_files[path]}): replace the files"
        )

    def _try_to_read(self, index: int, box: Sequence[float] | None) -> np.ndarray | None:
        """Reads image `index`; None, and a note in `corrupt_files`, when that fails."""
        path = self._files[index]
        if path in self.corrupt_files:
            return None
        try:
            return _READERS[self._reading](path, self.resolution, self.channels, box)
        except DECODE_ERRORS as error:
            self._record_corrupt(path, error)
            return None

    def _record_corrupt(self, path: str, error: BaseException) -> None:
        reason = one_line(error)
        with self._lock:
            if path in self.corrupt_files:
                return
            self.corrupt_files[path] = reason
            logging.warning(
                "Cannot read the image %s (%s). Another image of its class takes its place. "
                "Unreadable files so far: %d.",
                path,
                reason,
                len(self.corrupt_files),
            )


def _file_extract(path: str) -> bytes:
    """What tells a file from another: class folder and name, size, beginning and end."""
    name = "/".join(pathlib.Path(path).parts[-2:])
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(_DIGEST_BYTES)
            file.seek(max(0, size - _DIGEST_BYTES))
            content += file.read()
    except OSError as error:  # Fetching the image will report it, and take another.
        return f"{name} {error.errno}".encode()
    return f"{name} {size} ".encode() + content


def _class_folders(folder: pathlib.Path, data_dir: PathLike) -> list[str]:
    """Sorted names of the class folders of one split."""
    if not folder.is_dir():
        raise UserError(
            f"the image folder {str(data_dir)!r} has no split folder {folder.name!r}: expected "
            "<data_dir>/<split>/<class>/<image files>"
        )
    names = class_names_in(folder)
    if not names:
        raise UserError(f"the split folder {folder} has no class folders with images in them")
    return names


def _list_images(
    folder: pathlib.Path, names: Sequence[str], class_names: Sequence[str], skipped: SkippedFiles
) -> tuple[list[str], list[int]]:
    """Lists the image files of the classes `names`, in sorted order, with their labels."""
    label_of = {name: label for label, name in enumerate(class_names)}
    files: list[str] = []
    labels: list[int] = []
    skipped.images_among(folder, holds_classes=True)
    for name in names:
        of_class = SkippedFiles(skipped.extensions)
        found = of_class.images_among(folder / name)
        if not found:
            raise UserError(
                f"the class folder {folder / name} has no image files: remove it or add images "
                f"({READABLE}){_instead(of_class)}"
            )
        skipped.add_all(of_class)
        files += found
        labels += [label_of[name]] * len(found)
    skipped.frames_of(files)
    return files, labels


def _instead(skipped: SkippedFiles) -> str:
    return f"; it has {skipped}" if str(skipped) else ""


class ImageFolder(DatasetKind):
    """Files of a user's own, decoded when they are needed."""

    @override
    def open(self, request: DatasetRequest) -> OpenedDataset:
        train, test = load_image_folder(
            request.data_dir,
            request.train_split,
            request.test_split,
            resolution=request.resolution,
            channels=request.channels,
            reading=request.reading,
        )
        return OpenedDataset(request.dataset, train, test, train.subset)


CHOICE = ImageFolder()
