"""Downloads the Inception graph of 2015-12-05, by which IS and FID are published.

    python -m robgan_tf.download_inception --output_dir=inception

writes inception/classify_image_graph_def.pb, once its sha256 has been checked, for
--features=inception2015:inception/classify_image_graph_def.pb. Without a network, copy that file
from elsewhere; run again on the folder, the command then checks it.
"""

import pathlib
import sys
from collections.abc import Sequence

from robgan_tf.cli import start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    parser.group("Where to, and where from")
    parser.flag("output_dir", "The folder for the graph.", values.path, form="DIR")
    parser.flag(
        "url",
        "Of the graph, or of a .tgz with it, in the order in which they are tried; the original "
        "and a copy by default.",
        values.texts,
        form="LIST",
    )
    parser.flag("sha256", "Of the graph, if you trust another than the published.", form="DIGITS")


def download(given: Values) -> int:
    """Downloads as the flags say."""
    if not given.output_dir:
        raise UserError("where to? give --output_dir")
    with tensorflow_loading():
        from robgan_tf.quality.inception import GRAPH_SHA256
        from robgan_tf.quality.inception_download import URLS, fetch

    print(fetch(pathlib.Path(given.output_dir), given.url or URLS, given.sha256 or GRAPH_SHA256))
    return 0


COMMAND = Command(
    "download_inception",
    "Downloads the Inception graph of 2015-12-05, by which IS and FID are published, and checks "
    "its sha256; a file that is there already is checked. evaluate quality "
    "--features=inception2015:FILE takes it.",
    "--output_dir=inception",
    add_flags,
    download,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
