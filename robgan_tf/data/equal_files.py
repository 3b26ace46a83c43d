"""Files that are in two lists: the same file, or another of the same content."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import Any

from robgan_tf.files import file_digest

_ENDS = 4096  # bytes at either end of a file


def count_equal_files(files: Sequence[str], others: Sequence[str], executor: Executor) -> int:
    """Counts the files whose content one of the others has.

    Only files alike in size, beginning and end are read as a whole.

    Args:
      files: paths.
      others: paths.
      executor: whose threads read.

    Returns:
      How many of `files`; one that cannot be read is equal to none.
    """
    ours, theirs = (_described(paths, os.stat, executor) for paths in (files, others))
    there = {_identity(found) for found in theirs.values()}
    same = {path for path, found in ours.items() if _identity(found) in there}
    ours = {path: found.st_size for path, found in ours.items() if path not in same}
    theirs = {path: found.st_size for path, found in theirs.items()}
    for describe in (_ends, file_digest):
        both = set(ours.values()) & set(theirs.values())
        ours, theirs = (
            _described([path for path in side if side[path] in both], describe, executor)
            for side in (ours, theirs)
        )
    contents = set(theirs.values())
    return len(same) + sum(content in contents for content in ours.values())


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _ends(path: str) -> bytes:
    """Size, beginning and end of a file."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        beginning = file.read(_ENDS)
        file.seek(max(0, size - _ENDS))
        return b"%d " % size + beginning + file.read()


def _described(
    paths: Iterable[str], describe: Callable[[str], Any], executor: Executor
) -> dict[str, Any]:
    """What `describe` says of each file, of those that it can read."""

    def try_to(path: str) -> Any:
        try:
            return describe(path)
        except OSError:  # Fetching the image will report it, and take another.
            return None

    paths = list(paths)
    found = zip(paths, executor.map(try_to, paths), strict=True)
    return {path: value for path, value in found if value is not None}
