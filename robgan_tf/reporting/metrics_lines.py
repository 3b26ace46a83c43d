"""The lines of metrics.jsonl: which are whole, and what a kill or a fault made of others."""

import bisect
import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Sequence

from robgan_tf.files import flush_to_disk, write_atomically

LINE_START = b'{"step": '


@dataclasses.dataclass(frozen=True)
class MetricsLines:
    """What a metrics file holds.

    Attributes:
      records: of the good lines, whose steps increase.
      texts: the good lines as they are in the file, without line breaks.
      bad: of every other line its number, its text and what is wrong with it; empty in a file that
        only MetricsFile wrote, whatever interrupted it.
      size: of what is whole, in bytes; what comes after it a kill or a power cut has left.
      is_ended: whether that ends with a line break.
    """

    records: list[dict]
    texts: list[bytes]
    bad: list[tuple[int, bytes, str]]
    size: int
    is_ended: bool


def read_lines(path: str | os.PathLike) -> MetricsLines:
    """Reads a metrics file without changing it.

    A last line that is cut short is left out, and so are zeros at the end: a power cut leaves them
    where a file had grown already and its content was not yet on disk.
    """
    content = pathlib.Path(path).read_bytes()
    whole = content.rstrip(b"\0")
    lines = whole.split(b"\n")
    unfinished = lines.pop()  # empty when the file ends with a line break, as it should
    size, is_ended = len(whole), not unfinished
    if unfinished and _record(unfinished) is None and _is_begun(unfinished):
        size, is_ended = size - len(unfinished), True
    elif unfinished:
        lines.append(unfinished)
    parsed = [(number, text.strip(b"\0")) for number, text in enumerate(lines, start=1)]
    found = [(number, text, _record(text)) for number, text in parsed]
    readable = [(number, text, record) for number, text, record in found if record is not None]
    kept = set(_increasing([record["step"] for _, _, record in readable]))
    good = [line for place, line in enumerate(readable) if place in kept]
    bad = [(number, text, "not a metrics line") for number, text, record in found if record is None]
    bad += [
        (number, text, f"step {record['step']} is out of order: steps must increase")
        for place, (number, text, record) in enumerate(readable)
        if place not in kept
    ]
    return MetricsLines(
        [record for _, _, record in good],
        [text for _, text, _ in good],
        sorted(bad),
        size,
        is_ended,
    )


def mend(path: str | os.PathLike, say: Callable[[str], object] = print) -> MetricsLines:
    """Makes a metrics file hold good lines only, the last one ended.

    What is no metrics line is moved to `metrics.damaged.jsonl` beside it: nothing is lost.

    Args:
      path: the file.
      say: prints a line, of what was moved.

    Returns:
      The good lines.
    """
    path = pathlib.Path(path)
    lines = read_lines(path)
    if lines.bad:
        damaged = path.with_suffix(f".damaged{path.suffix}")
        with open(damaged, "ab") as file:
            file.writelines(text + b"\n" for _, text, _ in lines.bad)
        flush_to_disk(damaged)
        write_lines(path, lines.texts)
        numbers = [str(number) for number, _, _ in lines.bad]
        what = ", ".join(numbers[:5]) + (", ..." if len(numbers) > 5 else "")
        say(
            f"WARNING: {len(numbers)} damaged lines of {path} (line {what}: {lines.bad[0][2]}) "
            f"were moved to {damaged.name}"
        )
        return lines
    with open(path, "r+b") as file:
        file.truncate(lines.size)
        if not lines.is_ended:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
    return lines


def write_lines(path: str | os.PathLike, texts: Sequence[bytes]) -> None:
    """Writes the whole file anew, there as it was or as it shall be."""
    write_atomically(path, b"".join(text + b"\n" for text in texts))


def _is_begun(line: bytes) -> bool:
    """Whether it may be the beginning of a line that MetricsFile writes."""
    return line[: len(LINE_START)] == LINE_START[: len(line)]


def _record(line: bytes) -> dict | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # not JSON, or not UTF-8
        return None
    if not isinstance(record, dict) or type(record.get("step")) is not int:
        return None
    return record


def _increasing(steps: Sequence[int]) -> list[int]:
    """Places of a longest strictly increasing part: one wrong step makes no others wrong."""
    lowest_ends: list[int] = []  # of the parts of each length
    end_places: list[int] = []
    before: list[int] = []
    for place, step in enumerate(steps):
        length = bisect.bisect_left(lowest_ends, step)
        before.append(end_places[length - 1] if length else -1)
        if length < len(lowest_ends) and lowest_ends[length] == step:
            continue  # The first of equal ones stays.
        lowest_ends[length : length + 1] = [step]
        end_places[length : length + 1] = [place]
    part, place = [], end_places[-1] if end_places else -1
    while place >= 0:
        part.append(place)
        place = before[place]
    return part[::-1]
