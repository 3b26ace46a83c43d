"""Downloads the Inception graph of 2015-12-05, by which IS and FID are published.

    python -m tools.download_inception FOLDER

writes FOLDER/classify_image_graph_def.pb, once its sha256 has been checked, for the extractor
inception2015:FOLDER/classify_image_graph_def.pb. Without a network, copy that file from elsewhere;
run again on the folder, the command then checks it.
"""

import argparse
import hashlib
import http.client
import io
import pathlib
import sys
import tarfile
import urllib.request

from robgan_tf.cli import (
    start as command,  # its environment settings come before TensorFlow is imported
)

# isort: split
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.quality.inception import GRAPH_FILE, GRAPH_SHA256

# The first is the original; without TLS, which the checksum makes up for.
URLS = (
    "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz",
    "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/ref_batches/" + GRAPH_FILE,
)
TIMEOUT_SECONDS = 30


def main():
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--url", nargs="+", default=URLS, help="of the graph or of a .tgz with it")
    parser.add_argument(
        "--sha256",
        default=GRAPH_SHA256,
        help=f"of {GRAPH_FILE}, if it is to be another than the one that public copies state",
    )
    arguments = parser.parse_args()
    try:
        print(fetch(arguments.folder, arguments.url, arguments.sha256))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return command.USER_ERROR_STATUS
    return 0


def fetch(folder, urls, sha256):
    """Sees to it that a folder holds the graph.

    Args:
      folder: made if it does not exist.
      urls: where to look, in this order; of the graph itself, or of a .tgz that holds it.
      sha256: what it must be, in hexadecimal digits.

    Returns:
      One line for the user.

    Raises:
      UserError: if no URL can be read, or the file that is there or comes is another; nothing is
        written then.
    """
    path = folder / GRAPH_FILE
    if path.exists():
        _check(path.read_bytes(), sha256, f"the file that is there, {path},")
        return f"{path} is there, and its sha256 is right"
    failures = []
    for url in urls:
        try:
            content = _graph(_read(url), url)
            break
        except (OSError, EOFError, http.client.HTTPException, tarfile.TarError, KeyError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            failures.append(f"{url} ({lines[0]})")
    else:
        raise UserError(
            f"cannot download {' or '.join(failures)}; copy {GRAPH_FILE} to {folder} from "
            "elsewhere, and run this again to check it"
        )
    _check(content, sha256, f"what {url} gives")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    return f"{path}: {len(content):,} bytes, and the sha256 is right"


def _read(url):
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            return response.read()
    except ValueError as error:
        raise UserError(f"{url} is no URL (--url)") from error


def _graph(content, url):
    if not url.endswith((".tgz", ".tar.gz")):
        return content
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return archive.extractfile(GRAPH_FILE).read()


def _check(content, sha256, what):
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise UserError(
            f"{what} has sha256 {found} and should have {sha256} (--sha256 if you trust another)"
        )


if __name__ == "__main__":
    sys.exit(main())
