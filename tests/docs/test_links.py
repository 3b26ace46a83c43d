"""README and the manual: every relative link leads to a file, and README stays a front door."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")])
README_BYTES = 6000
# [text](target) and ![text](target); what stands in a fence or between backticks is no link.
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def broken_links(path: pathlib.Path, text: str) -> list[str]:
    """The relative links of a Markdown text that lead to no file, `path` being its own."""
    targets = LINK.findall(CODE.sub("", text))
    relative = [target for target in targets if not re.match(r"[a-z]+:", target)]
    files = {target: target.partition("#")[0] for target in relative}
    return [target for target, file in files.items() if not (path.parent / file).exists()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(path):
    assert broken_links(path, path.read_text()) == []


def test_a_link_to_nothing_is_found_and_code_is_none():
    text = "![a](images/none.png) [b](#part) [c](https://a.b) `[d](none)`\n```\n[e](none)\n```\n"
    assert broken_links(ROOT / "README.md", text) == ["images/none.png"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_source_file_named_is_there(path):
    named = re.findall(r"`([\w./]+/\w+\.(?:py|gin))`", path.read_text())
    roots = (ROOT, ROOT / "robgan_tf")
    assert [file for file in named if not any((root / file).exists() for root in roots)] == []


def test_readme_is_a_front_door():
    assert len((ROOT / "README.md").read_bytes()) <= README_BYTES
