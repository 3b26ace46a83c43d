"""Generated images on disk: read back, continued, refused, killed."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from robgan_tf.data import load_generated_images
from robgan_tf.quality.generated_set import generated_set
from robgan_tf.sampling import image_set
from robgan_tf.sampling.image_set import write_folder, write_npz
from tests.data.helpers import user_error
from tests.eager import eagerly
from tests.sampling import tiny_generator

# The compiled form: tests/quality/test_generated_set.py.
pytestmark = pytest.mark.usefixtures("eagerly")

NAMES = ("cat", "dog", "fish")
RECORD = {
    "generator": "tiny",
    "images": 25,
    "seed": 6,
    "truncation": None,
    "classes": ["a", "b", "c"],
}
SHAPE = {"resolution": 16, "channels": 1}


@pytest.fixture(scope="module")
def generator():
    return tiny_generator.build()


def expected(generator, truncation=None, batch_size=8):
    images, labels = zip(*generated_set(generator, 25, 6, batch_size, truncation), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@pytest.mark.parametrize("truncation", [None, 0.5])
def test_both_forms_hold_the_measured_images_pixel_by_pixel(generator, tmp_path, truncation):
    record = RECORD | {"truncation": truncation}
    assert write_folder(tmp_path / "folder", generator, NAMES, record, 8) == 25
    assert write_npz(tmp_path / "file.npz", generator, record, 8) == 25
    images, labels = expected(generator, truncation)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        with Image.open(tmp_path / "folder" / NAMES[label] / f"{number:08d}.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture)[..., None], image)
    with np.load(tmp_path / "file.npz") as stored:
        np.testing.assert_array_equal(stored["image"], images)
        np.testing.assert_array_equal(stored["label"], labels)
        assert json.loads(str(stored["made_by"])) == record
    assert json.loads((tmp_path / "folder" / "made_by.json").read_text()) == record


def test_finetune_reads_both(generator, tmp_path):
    write_folder(tmp_path / "folder", generator, NAMES, RECORD)
    write_npz(tmp_path / "file.npz", generator, RECORD)
    images, labels = expected(generator, batch_size=100)
    order = np.argsort(labels, kind="stable")
    for name, wanted in (("folder", order), ("file.npz", np.arange(25))):
        source = load_generated_images(tmp_path / name, NAMES, **SHAPE).source
        np.testing.assert_array_equal(source.labels, labels[wanted])
        np.testing.assert_array_equal(source.fetch(np.arange(25)), images[wanted])


def test_colours_and_a_generator_without_classes(tmp_path):
    generator = tiny_generator.build(num_classes=0, channels=3)
    write_folder(tmp_path / "folder", generator, (), RECORD, 8)
    images, _ = expected(generator)
    for number, image in enumerate(images):
        with Image.open(tmp_path / "folder" / f"{number:08d}.png") as picture:
            np.testing.assert_array_equal(picture, image)


def test_only_what_is_missing_is_made(generator, tmp_path, monkeypatch):
    write_folder(tmp_path, generator, NAMES, RECORD, 8)
    paths = sorted(tmp_path.glob("*/*.png"), key=lambda path: path.name)
    contents = [path.read_bytes() for path in paths]
    for number in (11, 20):
        paths[number].unlink()
    kept = {path: path.stat().st_mtime_ns for path in paths if path.exists()}
    firsts = []

    def observed(*arguments):
        firsts.append(arguments[-1])
        return generated_set(*arguments)

    monkeypatch.setattr(image_set, "generated_set", observed)
    assert write_folder(tmp_path, generator, NAMES, RECORD, 8) == 2
    assert firsts == [8]
    assert [path.read_bytes() for path in paths] == contents
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert write_folder(tmp_path, generator, NAMES, RECORD, 8) == 0


def test_other_images_are_not_mixed_in(generator, tmp_path):
    write_folder(tmp_path / "folder", generator, NAMES, RECORD)
    write_npz(tmp_path / "file.npz", generator, RECORD)
    before = (tmp_path / "file.npz").read_bytes()
    for name, other in {"seed": 7, "truncation": 1.0, "images": 26, "new": 1}.items():
        with user_error(rf"folder holds other images \(they differ in {name}\)"):
            write_folder(tmp_path / "folder", generator, NAMES, RECORD | {name: other})
        with user_error(rf"file.npz holds other images \(they differ in {name}\)"):
            write_npz(tmp_path / "file.npz", generator, RECORD | {name: other})
    assert write_npz(tmp_path / "file.npz", generator, RECORD) == 0
    assert (tmp_path / "file.npz").read_bytes() == before


def test_foreign_files_are_left_alone(generator, tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with user_error("holds files, and no made_by.json"):
        write_folder(tmp_path, generator, NAMES, RECORD)
    np.savez(tmp_path / "other.npz", image=np.zeros(3))
    (tmp_path / "text.npz").write_text("x")
    for name in ("other.npz", "text.npz"):
        with user_error("exists already and does not say what made it"):
            write_npz(tmp_path / name, generator, RECORD)
    with user_error("cannot be written"):
        write_folder(tmp_path / "thesis.txt" / "below", generator, NAMES, RECORD)
    (tmp_path / "damaged").mkdir()
    for text, message in (("{", "cannot be read"), ("[1]", "is damaged: it holds a list")):
        (tmp_path / "damaged" / "made_by.json").write_text(text)
        with user_error(message):
            write_folder(tmp_path / "damaged", generator, NAMES, RECORD)
    assert (tmp_path / "thesis.txt").read_text() == "x"


def test_a_class_name_that_is_no_folder_is_refused(generator, tmp_path):
    with user_error("'a/b' cannot be that of a folder: give --format=npz"):
        write_folder(tmp_path / "folder", generator, ("cat", "a/b", "dog"), RECORD)


KILLED = """
import robgan_tf.cli.start, json, sys
from robgan_tf.sampling.image_set import write_folder
from tests.sampling import tiny_generator
folder, names, record = json.loads(sys.argv[1])
write_folder(folder, tiny_generator.build(), names, record, 50)
"""


def test_a_kill_leaves_no_broken_image_and_the_rest_is_made_afterwards(generator, tmp_path):
    folder, record = tmp_path / "folder", RECORD | {"images": 1500}
    given = json.dumps([str(folder), NAMES, record])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, given], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(list(folder.glob("*/*.png"))) < 100 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = sorted(folder.glob("*/*.png"))
    assert 100 <= len(left) < 1500
    for path in left:
        with Image.open(path) as picture:
            assert np.asarray(picture).shape == (16, 16)
    with eagerly(wanted=False):
        assert write_folder(folder, generator, NAMES, record, 50) == 1500 - len(left)
    assert len(list(folder.glob("*/*.png"))) == 1500
