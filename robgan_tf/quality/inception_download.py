"""Fetches the Inception graph of 2015-12-05, and makes sure that it is that one."""

import hashlib
import http.client
import io
import pathlib
import tarfile
import urllib.request
from collections.abc import Sequence

from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.quality.inception import GRAPH_FILE

# The first is the original; without TLS, which the checksum makes up for.
URLS = (
    "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz",
    "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/ref_batches/" + GRAPH_FILE,
)
TIMEOUT_SECONDS = 30


def fetch(folder: pathlib.Path, urls: Sequence[str], sha256: str) -> str:
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


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            return response.read()
    except ValueError as error:
        raise UserError(f"{url} is no URL (--url)") from error


def _graph(content: bytes, url: str) -> bytes:
    if not url.endswith((".tgz", ".tar.gz")):
        return content
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        file = archive.extractfile(GRAPH_FILE)
        if file is None:
            raise KeyError(f"{GRAPH_FILE} is no file there")
        return file.read()


def _check(content: bytes, sha256: str, what: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise UserError(
            f"{what} has sha256 {found} and should have {sha256} (--sha256 if you trust another)"
        )
