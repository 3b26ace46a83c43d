"""Image files that ask for gigabytes are refused before anything of their size is made."""

import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from robgan_tf.data.datasets.image_folder import load_image_folder
from robgan_tf.data.decoding import decode_picture
from robgan_tf.data.decoding.bounds import MOST_PARTS, TOO_LARGE
from robgan_tf.data.image_file import DECODE_ERRORS, read_image
from robgan_tf.data.image_file_before import read_image_by_pillow
from robgan_tf.errors import UserError
from tests.data.bombs import BOMBS, png

SERVED = [name for name in BOMBS if name != "tiff"]


@pytest.fixture
def peak():
    """The megabytes that this process has grown by at most since the test began."""

    def line(name):
        text = pathlib.Path("/proc/self/status").read_text()
        return int(text.partition(f"{name}:")[2].split()[0]) // 1024

    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        before = line("VmHWM")
    except OSError:
        pytest.skip("no peak of memory to be read here")
    return lambda: line("VmHWM") - before


@pytest.mark.parametrize("name", BOMBS)
def test_training_refuses_them(name, peak, tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name])
    for read in (read_image, read_image_by_pillow):
        if name == "png just too large" and read is read_image_by_pillow:
            continue  # Runs begun by version 0.2.0 keep Pillow's own bound.
        with pytest.raises(DECODE_ERRORS) as error:
            read(path, 8, 3)
        assert any(text in str(error.value) for text in ("exceeds limit", TOO_LARGE))
    assert peak() < 60


@pytest.mark.parametrize("name", SERVED)
def test_the_graph_of_a_server_refuses_them(name, peak):
    with pytest.raises(tf.errors.InvalidArgumentError, match=TOO_LARGE):
        decode_picture(BOMBS[name], 8, 3)
    assert peak() < 300


def test_the_largest_that_is_read_is_read_by_both(tmp_path):
    file = io.BytesIO()
    Image.new("L", (2**13, 2**13), 7).save(file, "PNG")
    (tmp_path / "large.png").write_bytes(file.getvalue())
    assert (read_image(tmp_path / "large.png", 8, 1) == 7).all()
    assert decode_picture(file.getvalue(), 8, 1).shape == (2**13, 2**13, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8" + b"\xff" * (MOST_PARTS + 10),
        png(16, 16)[:8] + (b"\0\0\0\0tEXtaaaa" * (MOST_PARTS + 10)),
        b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\1x\0" * MOST_PARTS,
    ],
    ids=["jpeg", "png", "gif"],
)
def test_many_tiny_parts_end_soon(content):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_picture(content, 8, 3)


def test_a_bomb_in_a_class_folder_is_named_and_an_image_of_its_class_takes_its_place(
    tmp_path, caplog
):
    for split, class_name in [("train", "a"), ("train", "b"), ("test", "a"), ("test", "b")]:
        folder = tmp_path / split / class_name
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8), "red" if class_name == "a" else "blue").save(folder / "2.png")
    bomb = tmp_path / "train" / "b" / "1.png"
    bomb.write_bytes(BOMBS["png"])
    train, _ = load_image_folder(str(tmp_path), "train", "test", resolution=8, channels=3)
    np.testing.assert_array_equal(train.fetch([1]), train.fetch([2]))
    assert list(train.corrupt_files) == [str(bomb)]
    (tmp_path / "train" / "b" / "2.png").unlink()
    train, _ = load_image_folder(str(tmp_path), "train", "test", resolution=8, channels=3)
    with pytest.raises(UserError, match=r"no image of class 'b' can be read, 1 tried, .*1\.png"):
        train.check_every_class_is_readable()


def test_a_file_larger_than_any_image(peak, tmp_path):
    path = tmp_path / "sparse.png"
    with open(path, "wb") as file:
        file.truncate(20 * 2**30)
    with pytest.raises(DECODE_ERRORS, match="21474836480 bytes is larger than any image"):
        read_image(path, 8, 3)
    assert peak() < 60


def test_a_program_of_postscript_is_not_run(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *given: ran.append(given))
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) run\n")
    for read in (read_image, read_image_by_pillow):
        with pytest.raises(DECODE_ERRORS):
            read(path, 8, 3)
    assert not ran
