"""Fetches the Inception graph of 2015-12-05, and makes sure that it is that one."""

import contextlib
import hashlib
import pathlib
import socket
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence

import keras

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
            content = _download(url)
            break
        except (OSError, EOFError, tarfile.TarError, KeyError) as error:
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


def _download(url: str) -> bytes:
    """The graph that a URL gives, or that is in the archive it gives; shows how far it is.

    Raises:
      UserError: if it is no URL.
      OSError, EOFError, tarfile.TarError or KeyError: if nothing is there, or no graph in it.
    """
    # Not into the folder: what is there may be half a file until get_file is through.
    with tempfile.TemporaryDirectory() as scratch, _fit_for_commands():
        try:
            path = keras.utils.get_file("download", url, cache_dir=scratch, cache_subdir="")
        except ValueError as error:
            raise UserError(f"{url} is no URL (--url)") from error
        except Exception as error:  # what get_file raises is of no narrower type
            raise OSError(str(error).rpartition(" -- ")[2]) from error
        return _graph(pathlib.Path(path), url)


@contextlib.contextmanager
def _fit_for_commands() -> Iterator[None]:
    """Makes get_file give up on a silent server, and draw its bar on terminals only.

    It would wait for ever, and write a line twenty times a second into a log.
    """
    timeout, bar = socket.getdefaulttimeout(), keras.utils.is_interactive_logging_enabled()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    if not sys.stdout.isatty():
        keras.utils.disable_interactive_logging()
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        if bar:
            keras.utils.enable_interactive_logging()


def _graph(path: pathlib.Path, url: str) -> bytes:
    if not url.endswith((".tgz", ".tar.gz")):
        return path.read_bytes()
    with tarfile.open(path, mode="r:gz") as archive:
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
