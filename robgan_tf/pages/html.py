"""A page as one HTML file: every picture inside, no script, nothing fetched."""

import base64

import jinja2

from robgan_tf.pages.page import Code, Page, Pictures, Table, Text
from robgan_tf.pages.template import TEMPLATE

_KINDS = {Text: "text", Table: "table", Pictures: "pictures", Code: "code"}


def html(page: Page) -> str:
    """Renders a page; whatever its texts hold is shown as it is."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    environment.filters["kind"] = lambda block: _KINDS[type(block)]
    return environment.from_string(TEMPLATE).render(page=page) + "\n"
