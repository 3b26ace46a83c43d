"""Full and read-only disks, a directory that is gone, no descriptors, no memory.

On real file systems where this process may mount one, as root in a container may.
"""

import contextlib
import gc
import os
import pkgutil
import resource
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import UserError, machine_fault
from robgan_tf.runs.checkpoints import checkpoint_of_step, kept_steps
from tests.in_process import deterministic
from tests.runs.test_loop import Counting, session

STEPS = 6
SIZES = (100, 140, 200, 280, 400, 560, 800, 1100)  # KB


@contextlib.contextmanager
def mounted(path, *arguments):
    path.mkdir(exist_ok=True)
    made = subprocess.run(["mount", *arguments, str(path)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"may not mount: {made.stderr.strip()}")
    try:
        yield path
    finally:
        gc.collect()  # Files of a session that has ended are closed.
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def disk(path, size):
    return mounted(path, "-t", "tmpfs", "-o", f"size={size}k", "tmpfs")


class Large(Counting):
    """Its checkpoints, pictures and lines are large enough to fill a disk."""

    def __init__(self, hooks=None):
        super().__init__(hooks)
        self.ballast = tf.Variable(tf.random.stateless_uniform([50_000], [1, 2]))

    def train_step(self, batch, step):
        lines = {f"value_{number:03d}": self.total + number for number in range(60)}
        return {**super().train_step(batch, step), **lines}

    def pictures(self):
        seed = int(self.total)
        noise = np.random.default_rng(seed).integers(0, 256, [100, 100, 3], dtype=np.uint8)
        return {"samples": noise}


def large_session(path, task=None):
    task = task or Large()
    return session(path, task, steps=STEPS, save_every=2, ballast=task.ballast)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    path = tmp_path_factory.mktemp("straight") / "run"
    assert large_session(path) == (None, [2, 4, 6])
    return path


def check_goes_on(path, straight):
    """What was saved is valid, and with room again the run ends as one that had it always."""
    for step in kept_steps(path / "checkpoints"):
        checkpoint_of_step(path / "checkpoints", str(step))
    stop, kept = large_session(path)
    assert stop is None and kept[-1] == STEPS
    assert deterministic(path) == deterministic(straight)
    for picture in straight.glob("samples/*"):
        assert (path / "samples" / picture.name).read_bytes() == picture.read_bytes()
    assert not [x for x in path.rglob(".*") if x.is_file()]


@pytest.mark.parametrize("size", SIZES)
def test_a_full_disk_of_any_size_loses_nothing_that_was_saved(tmp_path, straight, size):
    with disk(tmp_path / "disk", size) as mount:
        try:
            large_session(mount / "run")
            full = None
        except Exception as error:
            full = machine_fault(error)
            assert full is not None and "No space left on device" in full
            assert len(full.splitlines()) == 1
        assert full or size > 800
        subprocess.run(["mount", "-o", "remount,size=8m", str(mount)], check=True)
        check_goes_on(mount / "run", straight)


@pytest.mark.parametrize("moment", ["save", "events", "metrics", "sheets"])
def test_a_disk_that_fills_at_any_kind_of_file(tmp_path, straight, monkeypatch, moment):
    """The disk is filled just before the first file of a kind is written."""
    target = {
        "save": "robgan_tf.runs.checkpoints.Checkpoints._write",
        "events": "robgan_tf.reporting.tensorboard.TensorBoardWriter.scalars",
        "metrics": "robgan_tf.reporting.MetricsFile.write",
        "sheets": "robgan_tf.runs.loop.save_png",
    }[moment]
    with disk(tmp_path / "disk", 4000) as mount:
        ballast = mount / "ballast"

        def fill():
            with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass

        call = pkgutil.resolve_name(target)

        def call_of_a_full_disk(*arguments):
            fill()
            return call(*arguments)

        monkeypatch.setattr(target, call_of_a_full_disk)
        with pytest.raises(Exception) as error:
            large_session(mount / "run")
        monkeypatch.undo()
        assert "No space left on device" in machine_fault(error.value)
        del error
        ballast.unlink()
        check_goes_on(mount / "run", straight)


def test_a_directory_that_may_only_be_read_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    with mounted(tmp_path / "disk", "--bind", str(tmp_path / "real")) as mount:
        session(mount / "run", Counting(), steps=1)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(mount)], check=True)
        with pytest.raises(UserError, match="cannot be used: Read-only file system; give another"):
            session(mount / "run", Counting())
        assert kept_steps(mount / "run" / "checkpoints") == [1]


def test_a_directory_that_becomes_read_only_ends_the_run_and_is_continued(tmp_path):
    (tmp_path / "real").mkdir()
    with mounted(tmp_path / "disk", "--bind", str(tmp_path / "real")) as mount:
        # The event file is open, which keeps the place from being made read-only itself.
        def cover():
            for words in (["--bind", mount, mount], ["-o", "remount,ro,bind", mount]):
                subprocess.run(["mount", *map(str, words)], check=True)

        task = Counting({("train_step", 3): cover})
        with pytest.raises(OSError) as error:
            session(mount / "run", task, save_every=1)
        assert machine_fault(error.value).startswith("Read-only file system: ")
        del error
        subprocess.run(["umount", str(mount)], check=True)
        assert session(mount / "run", Counting()) == (None, [1, 2, 4])
        assert [record["loss"] for record in deterministic(mount / "run")] == [1, 3, 6, 10]


@pytest.mark.parametrize("place", ["train_step", "evaluate"])
def test_a_directory_that_is_gone_is_not_made_anew_in_part(tmp_path, place):
    task = Counting({(place, 3): lambda: shutil.rmtree(tmp_path / "run")})
    with pytest.raises(OSError) as error:
        session(tmp_path / "run", task, save_every=1)
    expected = "the run directory was deleted or moved while it was trained: "
    assert machine_fault(error.value) == f"{expected}{tmp_path / 'run'}"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("left", [0, 1])
def test_without_file_descriptors_a_run_ends_and_is_continued(tmp_path, left):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def take_all_but_those_left():
        last = [os.open(os.devnull, os.O_RDONLY) for _ in range(left + 1)]
        for descriptor in last:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (last[-1], hard))

    task = Counting({("train_step", 3): take_all_but_those_left})
    try:
        with pytest.raises(Exception) as error:
            session(tmp_path / "run", task, save_every=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in str(machine_fault(error.value)), repr(error.value)
    del error
    stop, kept = session(tmp_path / "run", Counting())
    assert stop is None and kept[-1] == 4
    assert [record["loss"] for record in deterministic(tmp_path / "run")] == [1, 3, 6, 10]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError("4 GB"), "out of memory (MemoryError: 4 GB)"),
        (np.exceptions.AxisError(3), None),
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\n\tof [9]"),
            "out of memory (OOM when allocating tensor of [9])",
        ),
        (
            tf.errors.ResourceExhaustedError(None, None, "{{node x}} a/b; No space left on device"),
            "a/b; No space left on device",
        ),
        (tf.errors.InvalidArgumentError(None, None, "shapes"), None),
        (ValueError("No space left on device"), None),
    ],
)
def test_what_is_a_fault_of_the_machine(error, line):
    assert machine_fault(error) == line
