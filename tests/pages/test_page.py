"""A page in HTML and in Markdown: all of it, escaped, in one file that fetches nothing."""

import base64
import re
from html.parser import HTMLParser

from robgan_tf.pages.html import html
from robgan_tf.pages.markdown import markdown
from robgan_tf.pages.page import Code, Page, Picture, Pictures, Section, Table, Text
from robgan_tf.pages.write import write_page

NASTY = "<script>alert('x')</script> & |"
PNG = b"\x89PNG not really"
PAGE = Page(
    f"Run {NASTY}",
    "A lead.",
    [
        Section("Accuracy, attacked", [Table(["radius", NASTY], [["0.04", NASTY]], "A caption.")]),
        Section("Text", [Text("Plain."), Text("Beware.", is_note=True), Code("$ a && b")]),
        Section("Sheets", [Pictures([Picture("a.png", PNG, f'"alt" {NASTY}', "Below.")])]),
        Section("Settings", [Table(["", ""], [["x", "1"]])], is_folded=True),
    ],
)


class Elements(HTMLParser):
    """Every element of a page, and the text in it."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text, self.open = [], [], []
        self.feed(text)
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_has_everything_and_runs_nothing():
    elements = Elements(html(PAGE))
    assert not [tag for tag, _ in elements.found if tag in ("script", "link", "iframe")]
    text = "".join(elements.text)
    assert text.count(NASTY) == 4  # title, heading, a column's name and a cell
    assert "Beware." in text and "$ a && b" in text and "A caption." in text
    (image,) = [attributes for tag, attributes in elements.found if tag == "img"]
    assert image["alt"] == f'"alt" {NASTY}'
    assert base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) == PNG


def test_nothing_is_fetched():
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]+)""", html(PAGE))
    assert addresses
    assert [x for x in addresses if not x.startswith(("data:", "#"))] == []


def test_links_of_the_contents_lead_somewhere():
    elements = Elements(html(PAGE))
    anchors = {attributes.get("id") for _, attributes in elements.found}
    links = [attributes["href"] for tag, attributes in elements.found if tag == "a"]
    assert links == ["#accuracy-attacked", "#text", "#sheets", "#settings"]
    assert {link[1:] for link in links} <= anchors


def test_a_phone_is_thought_of():
    elements = Elements(html(PAGE))
    metas = [attributes for tag, attributes in elements.found if tag == "meta"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in metas
    # Tables scroll by themselves, also by keyboard, and do not widen the page.
    scrolling = [
        attributes for _, attributes in elements.found if attributes.get("class") == "scroll"
    ]
    assert len(scrolling) == 2 and all(x["tabindex"] == "0" for x in scrolling)


def test_markdown_says_the_same(tmp_path):
    text = markdown(PAGE, "pictures")
    assert "| 0.04 | <script>alert('x')</script> & \\| |" in text
    assert "**Beware.**" in text and "```console\n$ a && b\n```" in text
    written = write_page(tmp_path, PAGE)
    assert written.markdown.read_text().count("](report_pictures/a.png)") == 1
    assert (written.markdown.parent / "report_pictures" / "a.png").read_bytes() == PNG
    assert written.html.read_text() == html(PAGE)
