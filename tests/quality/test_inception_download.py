"""The download of the Inception graph of 2015."""

import hashlib
import http.server
import io
import re
import socket
import tarfile
import threading

import pytest

from robgan_tf.quality import inception, inception_download
from tests import in_process


@pytest.fixture
def archive(tmp_path):
    """A .tgz with a file in place of the graph, its URL and the sha256 of the file."""
    content = b"a graph"
    with tarfile.open(tmp_path / "inception.tgz", "w:gz") as file:
        member = tarfile.TarInfo(inception.GRAPH_FILE)
        member.size = len(content)
        file.addfile(member, io.BytesIO(content))
    return (tmp_path / "inception.tgz").as_uri(), hashlib.sha256(content).hexdigest()


def download(folder, *arguments):
    return in_process.run("download_inception", f"--output_dir={folder}", *arguments)


def test_download(archive, tmp_path):
    url, sha256 = archive
    folder = tmp_path / "new" / "folder"
    arguments = [f"--url=http://127.0.0.1:9/inception.tgz,{url}", f"--sha256={sha256}"]
    assert download(folder, *arguments).returncode == 0
    assert (folder / inception.GRAPH_FILE).read_bytes() == b"a graph"
    again = download(folder, *arguments)
    assert again.returncode == 0
    assert again.stdout.splitlines()[-1].endswith("is there, and its sha256 is right")
    other = download(folder)
    assert other.returncode == 2
    assert "the file that is there" in other.stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "gives has sha256"),
        ("http://127.0.0.1:9/x.tgz", r"cannot download http.*Connection refused.*; copy classify"),
        ("nonsense", "is no URL"),
        ("file:///dev/null/x.tgz", "cannot download"),
        ("empty", "cannot download"),
        ("other", "cannot download"),
    ],
)
def test_download_that_fails(url, message, archive, tmp_path):
    (tmp_path / "empty.tgz").write_bytes(b"")
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as file:
        file.addfile(tarfile.TarInfo("another"))
    if url in ("empty", "other"):
        url = (tmp_path / f"{url}.tgz").as_uri()
    ended = download(tmp_path / "folder", f"--url={url or archive[0]}")
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) == 1
    assert re.search(message, lines[0])
    assert not (tmp_path / "folder").exists()


def test_a_server_that_says_nothing_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(inception_download, "TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/graph.pb"
        ended = download(tmp_path, f"--url={url}")
    assert ended.returncode == 2
    assert "timed out" in ended.stderr
    assert socket.getdefaulttimeout() is None
    assert list(tmp_path.iterdir()) == []


def test_a_transfer_that_breaks_off_leaves_nothing(tmp_path):
    class Half(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Half)
    threading.Thread(target=server.handle_request).start()
    ended = download(tmp_path / "folder", f"--url=http://127.0.0.1:{server.server_port}/graph.pb")
    server.server_close()
    assert ended.returncode == 2
    # Keras 2 takes what has come for the whole, whose digest is then another one.
    assert "got only 4 out of 1000" in ended.stderr or "and should have" in ended.stderr
    assert not (tmp_path / "folder").exists()
