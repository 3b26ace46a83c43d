"""As much of the protobuf wire format as finding a SavedModel's signatures takes.

TensorFlow's own message classes would bring `tensorflow` into a process that must do without.
"""

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yields (number, value) of a message's fields: integers as int, all else as bytes.

    Args:
      message: bytes of a well-formed message.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == BYTES:
            size, position = _varint(message, position)
        else:
            size = {FIXED64: 8, FIXED32: 4}[kind]
        yield number, message[position : position + size]
        position += size


def every(message: bytes, number: int) -> list[Any]:
    """Returns the values of a repeated field, in order."""
    return [value for found, value in fields(message) if found == number]


def single(message: bytes, number: int, default: Any = None) -> Any:
    """Returns the value of a field; the last one counts where there are several."""
    return [default, *every(message, number)][-1]


def mapping(message: bytes, number: int) -> dict[str, bytes]:
    """Returns a map field as a dictionary from names to the bytes of its messages."""
    entries = every(message, number)
    return {single(entry, 1, b"").decode(): single(entry, 2, b"") for entry in entries}


def signed(value: int) -> int:
    """A varint read as int64, in which negative numbers are stored as large ones."""
    return value - (1 << 64) if value >> 63 else value


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
