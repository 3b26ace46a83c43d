"""Version directories: the next free one, nothing overwritten, nothing half there."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from robgan_tf.errors import UserError
from robgan_tf.serving.versions import versions, write_version

FILES = 30
# Without TensorFlow, so that a process starts in no time: writes versions until it is killed.
WRITER = f"""
import sys, time
from robgan_tf.serving.versions import write_version
def write(path):
    path.mkdir()
    for number in range({FILES}):
        (path / str(number)).write_text("whole")
        time.sleep(0.0005)
while True:
    write_version(sys.argv[1], write)
"""


def write_text(text):
    def write(path):
        path.mkdir()
        (path / "file").write_text(text)

    return write


def test_the_next_free_version_is_taken(tmp_path):
    assert write_version(tmp_path / "model", write_text("a")).name == "1"
    assert write_version(tmp_path / "model", write_text("b"), 7).name == "7"
    assert write_version(tmp_path / "model", write_text("c")).name == "8"
    assert versions(tmp_path / "model") == [1, 7, 8]
    assert (tmp_path / "model" / "1" / "file").read_text() == "a"


def test_an_existing_version_is_refused_and_left_alone(tmp_path):
    write_version(tmp_path, write_text("first"), 3)
    with pytest.raises(UserError, match=r"3 exists already \(versions 3\): leave out --version"):
        write_version(tmp_path, write_text("second"), 3)
    assert (tmp_path / "3" / "file").read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["3"]


def test_a_version_that_another_export_writes_meanwhile_is_left_alone(tmp_path, monkeypatch):
    rename, raced = os.rename, []

    def rename_after_another(source, target):
        if not raced:
            raced.append(target)
            write_text("theirs")(target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename_after_another)
    assert write_version(tmp_path, write_text("ours")).name == "2"
    assert (tmp_path / "1" / "file").read_text() == "theirs"
    assert (tmp_path / "2" / "file").read_text() == "ours"


def test_a_failure_leaves_nothing(tmp_path):
    def fail(path):
        path.mkdir()
        (path / "file").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_version(tmp_path, fail)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written: .* \(--export_dir\)"):
        write_version(tmp_path / "file" / "model", write_text("x"))


def test_killed_at_any_moment_every_version_is_whole(tmp_path):
    draws = random.Random(0)
    for _ in range(20):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        before = len(versions(tmp_path))
        while len(versions(tmp_path)) == before:
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(draws.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = versions(tmp_path)
    assert len(found) >= 20
    for version in found:
        texts = [path.read_text() for path in (tmp_path / str(version)).iterdir()]
        assert texts == ["whole"] * FILES
    # The next export clears away what the last kill has left.
    write_version(tmp_path, write_text("x"))
    assert not list(tmp_path.glob(".writing_*"))
