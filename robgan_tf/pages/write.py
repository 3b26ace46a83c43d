"""Writes a page: report.html, which is all there is to send, and report.md."""

import pathlib

from robgan_tf.files import write_atomically
from robgan_tf.pages.html import html
from robgan_tf.pages.markdown import markdown, pictures_of
from robgan_tf.pages.page import Page, Written

NAME = "report"


def write_page(folder: pathlib.Path, page: Page) -> Written:
    """Writes report.html, report.md and, in report_pictures/, the pictures that the latter shows.

    Args:
      folder: where, an existing one.
      page: the page.
    """
    pictures = folder / f"{NAME}_pictures"
    pictures.mkdir(exist_ok=True)
    found = {picture.name: picture.content for picture in pictures_of(page)}
    assert len(found) == len(pictures_of(page)), "two pictures of one name"
    for name, content in found.items():
        write_atomically(pictures / name, content)
    written = Written(folder / f"{NAME}.html", folder / f"{NAME}.md")
    write_atomically(written.markdown, markdown(page, pictures.name))
    write_atomically(written.html, html(page))
    return written
