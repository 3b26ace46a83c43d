"""Images that are in two splits."""

import os
import shutil

import numpy as np
import pytest

from robgan_tf.data import load_image_data
from robgan_tf.data.overlap import overlap_warning
from robgan_tf.data.sources import InMemorySource
from tests.data.helpers import make_folder, numbered_source, random_pixels, save_image

SPLITS = ("validation", "test")


def load(root, **changes):
    settings = {"resolution": 4, "channels": 3, "num_classes": 2, "data_dir": str(root)} | changes
    return load_image_data("image_folder", **settings)


@pytest.fixture
def folder(tmp_path):
    make_folder(tmp_path, {"ant": 8, "bee": 8})
    for name, value in (("ant", 100), ("bee", 120)):
        save_image(tmp_path / "test" / name / "t.png", (value, 1, 2))
    return tmp_path


def test_splits_of_their_own_are_silent(folder):
    assert overlap_warning(load(folder, validation_examples=4), SPLITS) is None


def test_the_same_split_twice(folder):
    warning = overlap_warning(load(folder, test_split="train", validation_examples=4), SPLITS)
    # Those held out are not trained on.
    assert warning.startswith("warning: 12 of 16 test images are training images too")


def test_copies_and_links_under_other_names(folder):
    shutil.copy(folder / "train" / "ant" / "3.png", folder / "test" / "bee" / "other.png")
    os.symlink(folder / "train" / "ant" / "4.png", folder / "test" / "ant" / "link.png")
    shutil.copy(folder / "train" / "ant" / "3.png", folder / "train" / "bee" / "again.png")
    data = load(folder)
    assert overlap_warning(data, SPLITS).startswith("warning: 2 of 4 test images are")
    assert overlap_warning(data, ["validation"]) is None


def test_files_alike_at_both_ends_only_are_different(folder):
    for place, middle in (("train/ant/a.bmp", b"1"), ("test/ant/b.bmp", b"2")):
        (folder / place).write_bytes(b"x" * 5000 + middle + b"x" * 5000)
    assert overlap_warning(load(folder), SPLITS) is None


def test_a_file_that_cannot_be_read_is_like_no_other(folder):
    for place in ("train/ant/gone.png", "test/ant/gone.png"):
        os.symlink(folder / "nowhere", folder / place)
    assert overlap_warning(load(folder), SPLITS) is None


def test_pixels_decide_in_memory():
    pixels = random_pixels(6, 4, 4, 1)
    first = InMemorySource(pixels, np.zeros(6), ["a"], 4)
    other = InMemorySource(pixels[[5, 1, 1]], np.zeros(3), ["a"], 4)
    assert other.count_in(first) == 3
    assert other.count_in(first.subset([0, 2, 5])) == 1
    assert other.subset([1, 2]).count_in(first.subset([0, 2, 5])) == 0
    assert numbered_source(3).count_in(first) == 0


def test_the_shipped_digits_have_no_image_twice():
    data = load_image_data(
        "digits", resolution=16, channels=1, num_classes=10, augmentation="area_crop_flip"
    )
    assert overlap_warning(data, SPLITS) is None
