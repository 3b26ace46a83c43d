"""A run as one file: the same bytes for the same run, unpacked safely, never written to."""

import gzip
import io
import os
import pathlib
import shutil
import tarfile
import zlib
from collections.abc import Mapping

from robgan_tf.errors import UserError, first_line, shortened
from robgan_tf.files import PathLike, file_digest

ENDING = ".tar.gz"
MOST_BYTES = 16 * 2**30
MOST_FILES = 10_000
# Weights hardly compress: what unpacks to more than this many times its size is made to fill disks,
# unless it is small all the same.
_MOST_EXPANSION = 100
_SMALL_BYTES = 2**30
_MOST_PARTS = 10  # of a name
_MOST_READ = 2**20
_GZIP = b"\x1f\x8b"
_COMPRESSION = 6


class _Unzipped(gzip.GzipFile):
    """The bytes of an archive, of which nothing large is read at once.

    tarfile reads a header's extension whole, as long as the header says that it is.
    """

    def read(self, size: int | None = -1) -> bytes:
        """As of any file; asked for at most 1 MiB, tarfile.ReadError otherwise."""
        if size is None or not 0 <= size <= _MOST_READ:
            raise tarfile.ReadError(f"a header asks for {size} bytes")
        return super().read(size)


def write_archive(path: PathLike, name: str, files: Mapping[str, pathlib.Path | bytes]) -> None:
    """Writes an archive, there whole or not at all; neither times nor owners are in it.

    Args:
      path: the archive, which must not exist.
      name: of the one folder in it.
      files: from a path below that folder, with "/", to the file or its content.

    Raises:
      UserError: if it exists or cannot be written.
    """
    path = pathlib.Path(path)
    if path.exists():
        raise UserError(f"{path} exists already and is kept: give another --output")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            open(aside, "wb") as raw,
            gzip.GzipFile("", "wb", _COMPRESSION, raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for inside in sorted(files):
                _add(tar, f"{name}/{inside}", files[inside])
        # Unlike a rename, this replaces nothing that has appeared meanwhile.
        os.link(aside, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror} (--output)") from error
    finally:
        if aside.exists():
            aside.unlink()


def is_archive(path: PathLike) -> bool:
    """Whether a path is a packed file, which a run directory is not."""
    path = pathlib.Path(path)
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def run_directory(path: PathLike) -> pathlib.Path:
    """The run directory that a path names: the path itself, or where its archive is unpacked.

    An archive is unpacked once, below `~/.cache/robgan_tf` (or `XDG_CACHE_HOME`), under a name that
    is a function of its content.

    Raises:
      UserError: if the archive is damaged, or is not one of a run.
    """
    path = pathlib.Path(path)
    if not is_archive(path):
        return path
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "robgan_tf" / "runs" / file_digest(path)
    if not folder.exists():
        _unpack_whole(path, folder)
    (run,) = folder.iterdir()
    return run


def unpack(
    path: PathLike, folder: PathLike, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES
) -> None:
    """Unpacks an archive into a folder.

    Args:
      path: the archive.
      folder: where its one folder goes; made if it does not exist.
      most_bytes: of all files together.
      most_files: how many there may be.

    Raises:
      UserError: if it is damaged, larger, or holds anything but files below one folder.
    """
    folder, names = pathlib.Path(folder), set()
    try:
        largest = max(_SMALL_BYTES, _MOST_EXPANSION * os.path.getsize(path))
        left = most_bytes = min(most_bytes, largest)
        with _Unzipped(path) as unzipped, tarfile.open(fileobj=unzipped, mode="r:") as tar:
            for member in tar:
                parts = _safe_parts(path, member)
                names.add("/".join(parts))
                left -= member.size
                if left < 0 or len(names) > most_files:
                    raise UserError(
                        f"{path} holds more than {most_files} files or {most_bytes / 1e9:g} GB: "
                        "no run is so large"
                    )
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None  # It is a file.
                with content, open(target, "xb") as file:
                    shutil.copyfileobj(content, file)
    # tarfile reads each header's extension within the reading of the one before.
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be unpacked: {first_line(error)}") from error
    if len({name.partition("/")[0] for name in names}) != 1:
        raise UserError(f"{path} is no archive of a run: it does not hold one folder of files")


def _add(tar: tarfile.TarFile, inside: str, content: pathlib.Path | bytes) -> None:
    member = tarfile.TarInfo(inside)
    member.mode = 0o644
    if isinstance(content, bytes):
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
        return
    with open(content, "rb") as file:
        member.size = os.fstat(file.fileno()).st_size
        tar.addfile(member, file)


def _safe_parts(path: PathLike, member: tarfile.TarInfo) -> tuple[str, ...]:
    """The parts of a member's name: of an ordinary file below one folder, and nothing else."""
    parts = tuple(member.name.split("/"))
    is_plain = all(part not in ("", ".", "..") and not {*"\\:\0"} & {*part} for part in parts)
    is_file = member.isreg() and member.size >= 0
    if not is_file or not is_plain or not 2 <= len(parts) <= _MOST_PARTS:
        raise UserError(
            f"{path} is no archive of a run: {shortened(repr(member.name))} in it is not a file "
            "below its folder"
        )
    return parts


def _unpack_whole(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpacks aside and renames, so that what is there is whole."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        aside.mkdir(mode=0o700, parents=True)
        unpack(path, aside)
        try:
            aside.rename(folder)
        except OSError:
            # Another process has unpacked it meanwhile.
            if not folder.exists():
                raise
    except OSError as error:
        raise UserError(f"{path} cannot be unpacked into {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
