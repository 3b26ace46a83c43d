"""Sets of corrupted images as they are shared: files by kind, or by kind and severity.

CIFAR-10-C (Hendrycks and Dietterich, ICLR 2019) has a file KIND.npy for each kind with the same
images at severity 1, 2, ..., 5 one after another, and labels.npy. Taken as well are
KIND/SEVERITY.npy with labels.npy, and npz files with their own labels: KIND.npz, KIND_SEVERITY.npz
and KIND/SEVERITY.npz.
"""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterator

import numpy as np

from robgan_tf.data.array_file import as_classes, as_images
from robgan_tf.errors import UserError, shortened
from robgan_tf.files import digest, read_npy, read_npz
from robgan_tf.typing import PathLike

_LABELS = "labels.npy"
_WITH_SEVERITY = re.compile(r"(.+)_(\d+)")
_SEVERITIES = 5


@dataclasses.dataclass(frozen=True)
class CorruptedImages:
    """Images of one kind and severity.

    Attributes:
      kind: such as "gaussian_noise".
      severity: from 1.
      images: float32 [N, H, W, C] in [-1, 1].
      labels: int32 [N].
      found: a line on the layout and the range of pixels.
    """

    kind: str
    severity: int
    images: np.ndarray
    labels: np.ndarray
    found: str

    @functools.cached_property
    def digest(self) -> str:
        """Hexadecimal digits that tell images and labels from others."""
        return digest(self.images, self.labels)


@dataclasses.dataclass(frozen=True)
class _File:
    path: pathlib.Path
    kind: str
    severity: int | None


class CorruptionSets:
    """The sets in a folder; one file is read at a time.

    Args:
      folder: see above.

    Attributes:
      kinds: names of the kinds, sorted.

    Raises:
      UserError: if there is none.
    """

    def __init__(self, folder: PathLike) -> None:
        self._folder = pathlib.Path(folder)
        if not self._folder.is_dir():
            raise UserError(f"--data_dir={folder}: there is no such folder")
        self._files = sorted(_files(self._folder), key=lambda file: (file.kind, file.severity or 0))
        if not self._files:
            raise UserError(
                f"{folder} holds no corrupted images: KIND.npy and labels.npy, or npz files with x "
                "and y called KIND_SEVERITY.npz, are needed"
            )
        self.kinds = tuple(dict.fromkeys(file.kind for file in self._files))

    def read(self, count: int | None = None) -> Iterator[CorruptedImages]:
        """Reads the sets, kind by kind and by ascending severity.

        Args:
          count: how many images of each, the first; all if None.

        Raises:
          UserError: if a file cannot be read or holds something else.
        """
        for file in self._files:
            try:
                images, labels = self._arrays(file)
                parts = _parts(images, labels, file.severity)
                for severity, some, of_some in parts:
                    scaled, found = as_images(np.asarray(some[:count]))
                    classes = as_classes(np.asarray(of_some[:count]), len(scaled))
                    yield CorruptedImages(file.kind, severity, scaled, classes, found)
            except ValueError as error:
                raise UserError(f"{file.path} cannot be used: {shortened(str(error))}") from error

    def _arrays(self, file: _File) -> tuple[np.ndarray, np.ndarray]:
        if file.path.suffix == ".npz":
            arrays = read_npz(file.path, ["x", "y"])
            return arrays["x"], arrays["y"]
        labels = self._folder / _LABELS
        if not labels.is_file():
            raise ValueError(f"there is no {_LABELS} beside it")
        try:
            classes = read_npy(labels)
        except ValueError as error:
            raise ValueError(f"{_LABELS} beside it: {error}") from error
        return read_npy(file.path), classes


def _files(folder: pathlib.Path) -> Iterator[_File]:
    for path in folder.iterdir():
        if path.is_dir():
            for inner in path.iterdir():
                if inner.suffix in (".npy", ".npz") and inner.stem.isdecimal():
                    yield _File(inner, path.name, int(inner.stem))
        elif path.suffix in (".npy", ".npz") and path.name != _LABELS:
            found = _WITH_SEVERITY.fullmatch(path.stem)
            if found:
                yield _File(path, found[1], int(found[2]))
            else:
                yield _File(path, path.stem, None)


def _parts(
    images: np.ndarray, labels: np.ndarray, severity: int | None
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Severity, images and labels, of a file of one severity or of all."""
    total, given = len(images), len(labels)
    if not given or total % given:
        raise ValueError(f"it has {total} images and there are {given} labels")
    if severity is not None:
        yield severity, images, labels[:total]
        return
    # Labels of all severities, or of one, which are those of the others too.
    size = given if total > given else total // _SEVERITIES
    if total == given and (total % _SEVERITIES or not _repeats(labels, size)):
        raise ValueError(
            f"its {total} images are not the same {total / _SEVERITIES:g} at {_SEVERITIES} "
            "severities, one after another: their labels do not repeat"
        )
    for number in range(total // size):
        part = slice(number * size, (number + 1) * size)
        yield number + 1, images[part], labels[:size]


def _repeats(labels: np.ndarray, size: int) -> bool:
    return bool(np.all(labels.reshape(-1, size) == labels[:size].reshape(1, -1)))
