"""Files that are there whole or not at all, and npz files read or refused."""

import errno
import hashlib
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import psutil

from robgan_tf.errors import first_line, shortened
from robgan_tf.typing import PathLike

if TYPE_CHECKING:
    import numpy as np

Contents: TypeAlias = "bytes | np.ndarray"


_BLOCK = 2**20  # bytes held at a time
# What a damaged or crafted npz file makes of numpy and zipfile.
_NPZ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # encrypted; NotImplementedError of a compression, RecursionError of a header
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)
# What numpy 1 or 2 says of pickled contents, among them.
_PICKLED = ("pickled (object)", "pickled data", "Object arrays", "Python objects")
# Of a part of an npz file: images and features hardly compress, and what is small does no harm.
_MOST_EXPANSION = 100
_SMALL_BYTES = 2**30


class OtherContentError(FileExistsError):
    """A file that must not be replaced holds something else."""


def write_atomically(path: PathLike, content: str | bytes | Callable[[BinaryIO], object]) -> None:
    """Writes a file aside, flushes it to disk and renames it into place.

    Args:
      path: where it belongs; a file of that name is replaced.
      content: text, bytes, or a function that writes to an open binary file.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        flush_to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_left_overs(directory: PathLike) -> None:
    """Removes what processes that are no more were writing, in a directory and those in it."""
    for path in [*pathlib.Path(directory).glob(".*.*"), *pathlib.Path(directory).glob("*/.*.*")]:
        name, _, owner = path.name[1:].rpartition(".")
        # Every file of a run but one has an ending; .notes.2024 is somebody else's.
        is_ours = owner.isdecimal() and ("." in name or name == "checkpoint")
        if is_ours and path.is_file() and not psutil.pid_exists(int(owner)):
            path.unlink(missing_ok=True)


def flush_to_disk(path: PathLike) -> None:
    """Returns when a file's content, or the names in a folder, would outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems know no flushing of folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def write_new(path: PathLike, content: str | bytes) -> None:
    """Writes a file that is there whole or not at all and replaces none; makes its directories.

    A file that is there already and holds just this is left alone.

    Args:
      path: the file.
      content: text or bytes.

    Raises:
      OtherContentError: if the file exists with other content; it is kept.
    """
    path = pathlib.Path(path)
    content = content.encode() if isinstance(content, str) else content
    if path.exists():
        if path.read_bytes() == content:
            return
        raise OtherContentError(f"{path} exists already and holds something else")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def read_npz(path: PathLike, names: Iterable[str] | None = None) -> "dict[str, np.ndarray]":
    """Reads arrays of an npz file, which may be a stranger's: nothing in it is unpickled.

    Args:
      path: the file.
      names: of the arrays, all if None.

    Returns:
      Dict from name to array.

    Raises:
      ValueError: if it cannot be read, is something else, lacks one of the names, or unpacks to
        so much more than it is that it is made to fill memory.
    """
    # A command's --help should not have to wait for it.
    import numpy as np

    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array, as npy files do, and is no npz")
        with stored:
            _refuse_expansion(stored.zip)
            for name in names or ():
                if name not in stored.files:
                    raise ValueError(
                        f"it lacks the array {name!r} (it holds {', '.join(stored.files)})"
                    )
            arrays = {name: stored[name] for name in names or stored.files}
    except _NPZ_ERRORS as error:
        if any(text in str(error) for text in _PICKLED):
            raise ValueError("it holds pickled objects, which are programs and not read") from error
        raise ValueError(shortened(first_line(error))) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"its part {name!r} is no array")
    return arrays


def read_npy(path: PathLike) -> "np.ndarray":
    """Maps the array of an npy file, which may be a stranger's, into memory; nothing is unpickled.

    Args:
      path: the file.

    Raises:
      ValueError: if it cannot be read or is something else.
    """
    import numpy as np

    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NPZ_ERRORS as error:
        if any(text in str(error) for text in _PICKLED):
            raise ValueError("it holds pickled objects, which are programs and not read") from error
        raise ValueError(shortened(first_line(error))) from error
    if not isinstance(found, np.ndarray):
        found.close()
        raise ValueError("it is an npz file, and one array is needed")
    return found


def _refuse_expansion(archive: zipfile.ZipFile | None) -> None:
    assert archive is not None  # It is open.
    for entry in archive.infolist():
        if entry.file_size > max(_SMALL_BYTES, _MOST_EXPANSION * entry.compress_size):
            raise ValueError(
                f"its part {entry.filename!r} of {entry.compress_size} bytes would unpack to "
                f"{entry.file_size}"
            )


def tree_digest(path: PathLike) -> str:
    """The `digest` of a file, or of all files below a directory in the order of their paths."""
    path = pathlib.Path(path)
    files = [path] if path.is_file() else sorted(x for x in path.rglob("*") if x.is_file())
    return digest(*(file.read_bytes() for file in files))


def file_digest(path: PathLike) -> str:
    """The `digest` of one file, of which little is held at a time."""
    with open(path, "rb") as file:
        return digest_all(iter(lambda: file.read(_BLOCK), b""))


def digest(*contents: Contents) -> str:
    """Returns 16 hexadecimal digits that tell byte strings or contiguous arrays apart."""
    return digest_all(contents)


def digest_all(contents: Iterable[Contents]) -> str:
    """The `digest` of an iterable of contents, of which one at a time is held."""
    sha256 = hashlib.sha256()
    for content in contents:
        # An array is a buffer, and numpy says so from Python 3.12 on.
        sha256.update(content)  # type: ignore[arg-type]
    return sha256.hexdigest()[:16]
