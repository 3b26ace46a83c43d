"""The configurations that come with the package, found by the path gin/... from any folder.

A clone has them in its folder gin/, beside the package; an installed package in robgan_tf/gin,
where its build puts them.
"""

import pathlib
from collections.abc import Iterator

_PACKAGE = pathlib.Path(__file__).parents[1]
# gin/ beside an installed package would be the library of that name.
ROOT = _PACKAGE if (_PACKAGE / "gin").is_dir() else _PACKAGE.parent


def find(path: str) -> pathlib.Path | None:
    """Finds a gin file.

    Args:
      path: of a file on disk, which goes first, or of a shipped one, such as "gin/quickstart.gin".

    Returns:
      Where it is, or None if it is in neither place.
    """
    for candidate in (pathlib.Path(path), ROOT / path):
        if candidate.is_file():
            return candidate
    return None


def headings() -> Iterator[tuple[str, str]]:
    """Yields the path of each shipped file and the comment it begins with, as one line of text.

    The files to start from come first, then, folder by folder, those to lay over them.
    """
    folder = ROOT / "gin"
    for file in [*sorted(folder.glob("*.gin")), *sorted(folder.glob("*/*.gin"))]:
        yield file.relative_to(ROOT).as_posix(), _heading(file.read_text())


def _heading(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)
