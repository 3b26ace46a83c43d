"""Archives: the same bytes again, nothing outside their folder, nothing replaced."""

import gzip
import io
import os
import tarfile
import time

import pytest

from robgan_tf.errors import UserError
from robgan_tf.runs.archive import is_archive, run_directory, unpack, write_archive

FILES = {"config.gin": b"train.steps = 1\n", "checkpoints/step-1.index": b"\0\1"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def archive(path, members):
    """An archive of any TarInfos or names, as somebody else may have made it."""
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            content = b"evil"
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return path


def special(kind, name="run/link"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def test_files_come_back_and_the_bytes_are_a_function_of_them(tmp_path, monkeypatch):
    stored = tmp_path / "stored"
    stored.write_bytes(FILES["config.gin"])
    os.utime(stored, (1, 1))
    write_archive(tmp_path / "one.tar.gz", "run", FILES)
    later = time.time() + 1000.0
    monkeypatch.setattr(time, "time", lambda: later)
    write_archive(tmp_path / "new" / "two.tar.gz", "run", {**FILES, "config.gin": stored})
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "new/two.tar.gz").read_bytes()
    directory = run_directory(tmp_path / "one.tar.gz")
    assert directory.name == "run"
    found = {p.relative_to(directory).as_posix(): p for p in directory.rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == FILES
    # Unpacked once for the same content, wherever the archive is.
    assert run_directory(tmp_path / "new" / "two.tar.gz") == directory
    assert len(list(directory.parent.parent.iterdir())) == 1


def test_an_archive_is_never_replaced(tmp_path):
    path = tmp_path / "run.tar.gz"
    path.write_text("mine")
    with pytest.raises(UserError, match="exists already and is kept: give another --output"):
        write_archive(path, "run", FILES)
    assert path.read_text() == "mine"
    with pytest.raises(UserError, match=r"cannot be written: .* \(--output\)"):
        write_archive(path / "below.tar.gz", "run", FILES)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.tar.gz"]


def test_what_is_no_archive_is_left_to_others(tmp_path):
    (tmp_path / "file").write_text("text")
    for path in (tmp_path, tmp_path / "file", tmp_path / "nothing"):
        assert not is_archive(path)
        assert run_directory(path) == path


@pytest.mark.parametrize(
    "member",
    [
        "../outside",
        "run/../../outside",
        "/tmp/outside",
        "run/./x",
        "run//x",
        "alone",
        "run\\..\\x",
        "C:/x",
        special(tarfile.SYMTYPE),
        special(tarfile.LNKTYPE),
        special(tarfile.FIFOTYPE),
        special(tarfile.CHRTYPE),
    ],
)
def test_members_that_are_refused(member, tmp_path, cache):
    path = archive(tmp_path / "run.tar.gz", ["run/config.gin", member])
    with pytest.raises(UserError, match=r"no archive of a run: .* is not a file below its folder"):
        run_directory(path)
    assert not list((cache / "robgan_tf" / "runs").iterdir())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cache", "run.tar.gz"]


def test_other_archives_that_are_refused(tmp_path):
    for content, message in [
        (gzip.compress(b"no tar at all" * 100), "cannot be unpacked"),
        (b"\x1f\x8b damaged", "cannot be unpacked"),
        (b"", None),
    ]:
        path = tmp_path / "run.tar.gz"
        path.write_bytes(content)
        if message is None:
            assert run_directory(path) == path
            continue
        with pytest.raises(UserError, match=message) as error:
            run_directory(path)
        assert "\n" not in str(error.value)
    two = archive(tmp_path / "two.tar.gz", ["one/x", "two/x"])
    with pytest.raises(UserError, match="does not hold one folder of files"):
        run_directory(two)
    twice = archive(tmp_path / "twice.tar.gz", ["run/x", "run/x"])
    with pytest.raises(UserError, match="cannot be unpacked"):
        run_directory(twice)


def test_a_cut_archive_leaves_nothing(tmp_path, cache):
    write_archive(tmp_path / "run.tar.gz", "run", {"x": os.urandom(10_000)})
    whole = (tmp_path / "run.tar.gz").read_bytes()
    (tmp_path / "run.tar.gz").write_bytes(whole[:6000])
    with pytest.raises(UserError, match="cannot be unpacked"):
        run_directory(tmp_path / "run.tar.gz")
    assert not list((cache / "robgan_tf" / "runs").iterdir())


def test_size_and_number_are_bounded(tmp_path):
    write_archive(tmp_path / "run.tar.gz", "run", {"a": b"x" * 1000, "b": b"y" * 1000})
    unpack(tmp_path / "run.tar.gz", tmp_path / "fits", most_bytes=2000, most_files=2)
    for bounds in ({"most_bytes": 1999}, {"most_files": 1}):
        with pytest.raises(UserError, match="no run is so large"):
            unpack(tmp_path / "run.tar.gz", tmp_path / str(bounds), **bounds)


def header(name, kind=b"0", size=0):
    """A header as tar has it, of an entry that is not there."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def comment():
    return header("x", b"x", 512) + b"30 comment=aaaaaaaaaaaaaaaaaa\n".ljust(512, b"\0")


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([header("x", b"x", 2**34), b"\0" * 2**20], "a header asks for 17179869184 bytes"),
        ([header("x", b"L", 2**34), b"\0" * 2**20], "a header asks for 17179869184 bytes"),
        ([comment()] * 2000, "cannot be unpacked: maximum recursion depth exceeded"),
        ([header("x", b"L", 512) + b"r" * 512] * 2000, "maximum recursion depth exceeded"),
        ([header("x", b"L", 4096), b"run/" + b"d/" * 2046], "is not a file below its folder"),
        ([header("run/weights", size=2**31)], "no run is so large"),
        ([header("run/weights", size=2**50)], "no run is so large"),
        ([b"\xff" * 512], "cannot be unpacked"),
    ],
    ids=["extension", "name", "extensions", "names", "depth", "zeros", "huge", "bad"],
)
def test_headers_that_ask_for_too_much(blocks, message, tmp_path, cache):
    path = tmp_path / "run.tar.gz"
    path.write_bytes(gzip.compress(b"".join([*blocks, header("run/x"), b"\0" * 1024]), 1))
    with pytest.raises(UserError) as error:
        run_directory(path)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    assert not list((cache / "robgan_tf" / "runs").iterdir())
