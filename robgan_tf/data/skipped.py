"""What a folder of images holds and nothing is made of, told once, by reason."""

import collections
import os
import pathlib
from collections.abc import Collection, Iterable

from absl import logging
from PIL import Image

from robgan_tf.data.image_file import DECODE_ERRORS, EXTENSIONS, READABLE
from robgan_tf.errors import UserError
from robgan_tf.typing import PathLike

# Of formats that Pillow does not know by itself, as cameras and browsers write them.
_FURTHER_EXTENSIONS = (
    ".heic", ".heif", ".avif", ".jxl", ".svg", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw",
)  # fmt: skip
_OTHER_FORMAT = f"images of formats that are not read, which are {READABLE}"
_NESTED = "folders within class folders, whose images would have to be moved up"
_OUTSIDE = "images beside the class folders, in none of them"
_NO_IMAGE = "files that are no images"
_NO_TEXT = "files whose names are not in UTF-8"
_NO_FILE = "links that lead nowhere, pipes and devices"
_FRAMES = "further frames of animations, of which the first is read"


def entries_of(folder: PathLike) -> list[os.DirEntry[str]]:
    """What a folder holds, in the order of names; what begins with a dot is not there.

    Raises:
      UserError: if it cannot be read.
    """
    try:
        with os.scandir(os.fspath(folder)) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be read: {error.strerror}") from error
    return sorted(found, key=lambda entry: entry.path)


def leads_to_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link that leads to itself is neither."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def class_names_in(folder: PathLike) -> list[str]:
    """The sorted names of the folders in a folder.

    Raises:
      UserError: if it cannot be read, or a name is no text in UTF-8, of one line.
    """
    names = [entry.name for entry in entries_of(folder) if leads_to_folder(entry)]
    for name in names:
        if not _is_text(name) or len(name.splitlines()) != 1:
            raise UserError(
                f"the class folder {name!a} in {folder} has a name that is not one line of UTF-8: "
                "rename it"
            )
    return sorted(names)


class SkippedFiles:
    """Counts what is skipped, by reason.

    Args:
      extensions: endings, in lower case, of the files that are not.
    """

    def __init__(self, extensions: Collection[str] = EXTENSIONS) -> None:
        self.extensions = extensions
        self._paths: dict[str, list[str]] = {}

    def images_among(self, folder: PathLike, holds_classes: bool = False) -> list[str]:
        """Lists the image files of a folder, and counts the rest.

        Args:
          folder: whose files are looked at; what begins with a dot is not there.
          holds_classes: whether it holds the class folders, and images should be in those.

        Returns:
          Sorted paths of the files whose ending is that of a format that is read.

        Raises:
          UserError: if the folder cannot be read.
        """
        found = []
        for entry in entries_of(folder):
            ending = pathlib.PurePath(entry.name).suffix.lower()
            if leads_to_folder(entry):
                if not holds_classes:
                    self.add(_NESTED, entry.path)
            elif not _leads_to_file(entry):
                self.add(_NO_FILE, entry.path)
            elif not _is_text(entry.name):
                self.add(_NO_TEXT, ascii(entry.path)[1:-1])
            elif ending in self.extensions:
                found.append(entry.path)
            elif ending in _FURTHER_EXTENSIONS or ending in Image.registered_extensions():
                self.add(_OTHER_FORMAT, entry.path)
            else:
                self.add(_NO_IMAGE, entry.path)
        if holds_classes:
            for path in found:
                self.add(_OUTSIDE, path)
        return found

    def frames_of(self, files: Iterable[str]) -> None:
        """Counts the animations among image files, by what formats for animations say of them."""
        for path in files:
            if path.lower().endswith((".gif", ".webp", ".apng")) and _is_animated(path):
                self.add(_FRAMES, path)

    def add_all(self, other: "SkippedFiles") -> None:
        """Adds what another one has counted."""
        for reason, paths in other._paths.items():
            self._paths.setdefault(reason, []).extend(paths)

    def report(self, folder: PathLike) -> None:
        """Logs what was counted below a folder: one line, none where nothing was."""
        if self._paths:
            logging.warning("Of %s these are skipped: %s.", folder, self)

    def __str__(self) -> str:
        return "; ".join(
            f"{reason}: {len(paths)} ({_endings(paths)}first {min(paths)})"
            for reason, paths in self._paths.items()
        )

    def add(self, reason: str, path: str) -> None:
        """Counts a file."""
        self._paths.setdefault(reason, []).append(path)

    def listed(self) -> list[tuple[str, str]]:
        """(path, reason) of all that was counted."""
        return [(path, reason) for reason, paths in self._paths.items() for path in paths]


def _leads_to_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_text(name: str) -> bool:
    """Whether a name is in UTF-8; Python has half characters in place of other bytes."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _endings(paths: Iterable[str]) -> str:
    counts = collections.Counter(pathlib.PurePath(path).suffix.lower() for path in paths)
    listed = ", ".join(f"{number} {ending}" for ending, number in counts.most_common() if ending)
    return f"{listed}; " if listed else ""


def _is_animated(path: str) -> bool:
    try:
        with Image.open(path) as image:
            return bool(getattr(image, "is_animated", False))
    except DECODE_ERRORS:
        return False  # Whoever decodes it reports it.
