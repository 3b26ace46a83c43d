"""Markdown tables."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Renders a table.

    Args:
      header: the names of the columns.
      rows: as many cells each.

    Returns:
      A list of lines. A bar within a cell is escaped, and a line break becomes a space.
    """
    return [_line(header), f"|{'---|' * len(header)}", *map(_line, rows)]


def cell(text: str) -> str:
    """The text as it may stand in a cell."""
    return " ".join(text.splitlines()).replace("|", "\\|")


def _line(cells: Sequence[str]) -> str:
    return f"|{'|'.join(f' {cell(text)} ' if text else ' ' for text in cells)}|"
