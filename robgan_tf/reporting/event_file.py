"""A run's one event file of TensorBoard, which every session of the run appends to."""

import os
import pathlib
import socket
import struct
import time
from collections.abc import Callable, Iterator

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter, masked_crc32c

_VERSION = "brain.Event:2"
# A record is its length, the checksum of that, the content, the checksum of that.
_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")


class EventFile:
    """Appends events to the newest event file of a directory, or begins one.

    A last record that a kill or a power cut left unfinished is removed first. A file that is
    damaged elsewhere is left as it is, and a new one begun.

    Args:
      log_dir: the directory that TensorBoard is pointed at; created if it does not exist.
      see: called with each event that is there already, of all event files.
      say: prints a line, of a damaged file.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        see: Callable[[Event], object],
        say: Callable[[str], object] = print,
    ) -> None:
        folder = pathlib.Path(log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        path = None
        for path in sorted(folder.glob("*tfevents*")):
            end = _read(path, see)
        if path is not None and not _cut(path, end):
            say(f"WARNING: {path} is damaged from byte {end} on; a new event file is begun")
            path = None
        if path is None:
            name = f"{time.time():.6f}.{socket.gethostname()}.{os.getpid()}.0.v2"
            path = folder / f"events.out.tfevents.{name}"
        self._file = path.open("ab")
        self._records = RecordWriter(self._file)
        if not path.stat().st_size:
            self._write(Event(wall_time=time.time(), file_version=_VERSION))

    def write(self, step: int, summary: Summary) -> None:
        """Appends an event, in the hands of the operating system when this returns."""
        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def flush_to_disk(self) -> None:
        """Returns when everything written would outlive a power cut."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file; writing afterwards is an error."""
        self._records.close()

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()


def _read(path: pathlib.Path, see: Callable[[Event], object]) -> int:
    """Shows the events of a file; returns the number of bytes up to the last whole record."""
    end = 0
    for stop, content in _records(path):
        try:
            event = Event.FromString(content)
        except DecodeError:
            break
        see(event)
        end = stop
    return end


def _records(path: pathlib.Path) -> Iterator[tuple[int, bytes]]:
    """The records of a file up to one that is not whole, each with the place where it ends."""
    size, end = path.stat().st_size, 0
    last: tuple[int, bytes, int] | None = None
    with open(path, "rb") as file:
        while end + _HEADER.size <= size:
            header = file.read(_HEADER.size)
            length, checksum = _HEADER.unpack(header)
            end += _HEADER.size + length + _FOOTER.size
            if checksum != masked_crc32c(header[:8]) or end > size:
                break
            if last is not None:
                yield last[:2]
            content = file.read(length)
            last = end, content, _FOOTER.unpack(file.read(_FOOTER.size))[0]
    # Of the last record alone, which a power cut may have left half: it takes Python long.
    if last is not None and last[2] == masked_crc32c(last[1]):
        yield last[:2]


def _cut(path: pathlib.Path, end: int) -> bool:
    """Removes an unfinished record from the end of a file; whether the file is whole then."""
    with open(path, "r+b") as file:
        file.seek(end)
        # A power cut leaves zeros where content was not yet on disk.
        rest = file.read().rstrip(b"\0")
        header = rest[: _HEADER.size]
        is_unfinished = len(header) < _HEADER.size
        if not is_unfinished:
            length, checksum = _HEADER.unpack(header)
            is_record = checksum == masked_crc32c(header[:8])
            is_unfinished = is_record and len(rest) <= _HEADER.size + length + _FOOTER.size
        if is_unfinished:
            file.truncate(end)
        return is_unfinished
