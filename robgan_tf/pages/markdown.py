"""A page as Markdown, its pictures in files beside it."""

from robgan_tf.pages.page import Block, Code, Page, Picture, Pictures, Table, Text
from robgan_tf.reporting.markdown import cell, table


def markdown(page: Page, folder: str) -> str:
    """Renders a page.

    Args:
      page: the page.
      folder: where its pictures are, relative to the file.
    """
    lines = [f"# {page.title}", "", page.lead, ""]
    for section in page.sections:
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += [*_lines(block, folder), ""]
    return "\n".join(lines)


def pictures_of(page: Page) -> list[Picture]:
    """All pictures of a page."""
    return [
        picture
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Pictures)
        for picture in block.pictures
    ]


def _lines(block: Block, folder: str) -> list[str]:
    if isinstance(block, Text):
        return [f"**{block.text}**" if block.is_note else block.text]
    if isinstance(block, Table):
        return [*table(block.header, block.rows), *(["", block.caption] if block.caption else [])]
    if isinstance(block, Code):
        return ["```console", *block.text.splitlines(), "```"]
    lines: list[str] = []
    for picture in block.pictures:
        lines += [f"![{_alt(picture.alt)}]({folder}/{picture.name})", ""]
        lines += [picture.caption, ""] if picture.caption else []
    return lines[:-1]


def _alt(text: str) -> str:
    return cell(text).replace("[", "(").replace("]", ")")
