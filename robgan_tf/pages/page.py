"""What a page is made of, whether it becomes HTML or Markdown."""

import dataclasses
from collections.abc import Sequence

from robgan_tf.typing import PathLike

# Of pictures, by the ending of their names.
MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml"}


@dataclasses.dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
      text: plain text.
      is_note: whether it is to stand out: what a reader must not miss.
    """

    text: str
    is_note: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      header: names of the columns.
      rows: as many cells each, plain text.
      caption: a sentence or two below it.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
      name: of its file, ending in .png or .svg; one of a kind on a page.
      content: the bytes of the file.
      alt: what is to be seen, for those who do not see it.
      caption: a line below it.
    """

    name: str
    content: bytes
    alt: str
    caption: str = ""

    @property
    def media_type(self) -> str:
        """Such as "image/png"."""
        return MEDIA_TYPES[self.name.rpartition(".")[2]]


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures beside each other where there is room, else below each other."""

    pictures: Sequence[Picture]


@dataclasses.dataclass(frozen=True)
class Code:
    """Lines to be read or copied as they are."""

    text: str


Block = Text | Table | Pictures | Code


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page with a heading.

    Attributes:
      title: the heading.
      blocks: what is below it.
      is_folded: whether HTML shows it only when it is asked for: long lists.
    """

    title: str
    blocks: Sequence[Block]
    is_folded: bool = False

    @property
    def anchor(self) -> str:
        """The heading as part of an address."""
        letters = (x if x.isalnum() else "-" for x in self.title.lower())
        return "-".join(filter(None, "".join(letters).split("-")))


@dataclasses.dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
      title: of all.
      lead: a sentence or two on what it is.
      sections: those that have something in them.
    """

    title: str
    lead: str
    sections: Sequence[Section]


@dataclasses.dataclass(frozen=True)
class Written:
    """Where a page was written: the HTML file and the Markdown file."""

    html: PathLike
    markdown: PathLike
