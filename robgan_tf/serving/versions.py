"""Version directories `<base>/<name>/<integer>/`: there whole or not at all, never overwritten."""

import errno
import os
import pathlib
import shutil
from collections.abc import Callable

from robgan_tf.errors import UserError
from robgan_tf.typing import PathLike

_ASIDE = ".writing_"


def versions(directory: PathLike) -> list[int]:
    """The integer versions in a model's directory, ascending."""
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        return []
    return sorted(int(entry.name) for entry in directory.iterdir() if entry.name.isdecimal())


def check_free(directory: PathLike, version: int | None) -> None:
    """Raises a UserError if a version exists; None, for the next free one, never does."""
    directory = pathlib.Path(directory)
    if version is not None and (directory / str(version)).exists():
        raise _exists(directory, version)


def write_version(
    directory: PathLike, write: Callable[[pathlib.Path], object], version: int | None = None
) -> pathlib.Path:
    """Writes a version aside and renames it into place.

    A server that watches the directory sees a version only when it is complete. What an export
    that was killed has left aside is removed.

    Args:
      directory: `<base>/<name>`; created if it does not exist.
      write: function that fills a directory, which does not exist yet, given its path.
      version: an integer above 0, or None for the next free one.

    Returns:
      Path of the version.

    Raises:
      UserError: if the version exists, or the directory cannot be written.
    """
    directory = pathlib.Path(directory)
    check_free(directory, version)
    aside = directory / f"{_ASIDE}{os.getpid()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(directory)
        write(aside)
        return _rename(aside, directory, version)
    except OSError as error:
        raise UserError(
            f"{directory} cannot be written: {error.strerror} (--export_dir)"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _rename(aside: pathlib.Path, directory: pathlib.Path, version: int | None) -> pathlib.Path:
    while True:
        number = version or max(versions(directory), default=0) + 1
        target = directory / str(number)
        if not target.exists():
            try:
                os.rename(aside, target)
                return target
            except OSError as error:
                # Another export has meanwhile put files there.
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
        if version is not None:
            raise _exists(directory, version)


def _remove_abandoned(directory: pathlib.Path) -> None:
    for entry in directory.glob(f"{_ASIDE}*"):
        process = entry.name.removeprefix(_ASIDE)
        if not (process.isdecimal() and _is_running(int(process))):
            shutil.rmtree(entry)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _exists(directory: pathlib.Path, version: int) -> UserError:
    known = ", ".join(map(str, versions(directory)))
    return UserError(
        f"{directory / str(version)} exists already (versions {known}): leave out --version for "
        "the next free one"
    )
