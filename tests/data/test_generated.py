"""Stored generated images: npz and class folders."""

import json

import numpy as np
import pytest

from robgan_tf.data import load_generated_images
from tests.data.helpers import make_folder, random_pixels, user_error

NAMES = ("cat", "dog", "fox")


def save(path, image, label, **more):
    np.savez(path, image=image, label=label, **more)
    return path


def load(path, resolution=8, channels=3):
    return load_generated_images(path, NAMES, resolution=resolution, channels=channels)


def test_npz_comes_back_as_it_is(tmp_path):
    images, labels = random_pixels(7, 8, 8, 3), np.arange(7) % 3
    stored = load(save(tmp_path / "a.npz", images, labels.astype(np.int64)))
    assert stored.has_classes and stored.other_sizes() == []
    source = stored.source
    np.testing.assert_array_equal(source.fetch(np.arange(7)), images)
    np.testing.assert_array_equal(source.labels, labels)
    assert source.class_names == NAMES


def test_other_sizes_are_resized(tmp_path):
    images = np.full([5, 16, 16, 3], 77, np.uint8)
    stored = load(save(tmp_path / "a.npz", images, np.zeros(5, np.int32)))
    np.testing.assert_array_equal(stored.source.fetch([4]), np.full([1, 8, 8, 3], 77))
    assert stored.other_sizes() == [(16, 16)]


def test_folders_are_known_by_the_names_of_the_classes(tmp_path):
    make_folder(tmp_path, {"fox": 2, "cat": 1}, split="made")
    stored = load(tmp_path / "made")
    # Pictures of 12 x 10 pixels.
    assert stored.has_classes and stored.other_sizes() == [(10, 12)]
    source = stored.source
    assert sorted(source.labels) == [0, 2, 2]
    # make_folder numbers the classes in the order given: fox 0, cat 1.
    assert source.fetch(np.flatnonzero(source.labels == 0))[0, 0, 0, 0] == 20


def test_images_of_a_generator_without_classes(tmp_path):
    arrays = random_pixels(3, 8, 8, 3), np.zeros(3, np.int32)
    for classes, expected in (([], False), (["cat", "dog"], True)):
        made_by = np.array(json.dumps({"classes": classes}))
        stored = load(save(tmp_path / "a.npz", *arrays, made_by=made_by))
        assert stored.has_classes is expected
    with user_error("does not say what made the images"):
        load(save(tmp_path / "a.npz", *arrays, made_by=np.array("G")))
    make_folder(tmp_path, {"fox": 2}, split="made")
    (tmp_path / "made" / "fox" / "made_by.json").write_text("{}")
    stored = load(tmp_path / "made" / "fox")
    assert not stored.has_classes and list(stored.source.labels) == [0, 0]
    (tmp_path / "empty").mkdir()
    with user_error("neither class folders nor image files"):
        load(tmp_path / "empty")


@pytest.mark.parametrize(
    ("image", "label", "message"),
    [
        (random_pixels(3, 8, 8, 3) / 255.0, np.zeros(3, int), "`image` is float64"),
        (random_pixels(3, 8, 8, 1), np.zeros(3, int), r"\[3, 8, 8, 1\], and uint8 \[N, H, W, 3\]"),
        (random_pixels(3, 8, 8, 3), np.zeros(2, int), r"`label` is int64 \[2\]"),
        (random_pixels(3, 8, 8, 3), np.zeros(3), "`label` is float64"),
        (random_pixels(3, 8, 8, 3), np.array([0, 1, 3]), "labels from 0 to 3; .* classes 0 to 2"),
        (random_pixels(0, 8, 8, 3), np.zeros(0, int), "labels of no image"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, image, label, message):
    path = save(tmp_path / "a.npz", image, label)
    with user_error(message):
        load(path)


def test_files_that_are_not_such(tmp_path):
    with user_error("do not exist"):
        load(tmp_path / "nothing.npz")
    for content in ("text", ""):
        (tmp_path / "text.npz").write_text(content)
        with user_error("cannot be read as npz"):
            load(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with user_error("a single array, as npy files do"):
        load(tmp_path / "one.npy")
    np.savez(tmp_path / "b.npz", images=np.zeros(3))
    with user_error(r"lacks the array 'image' \(it holds images\)"):
        load(tmp_path / "b.npz")
    make_folder(tmp_path, {"cow": 1}, split="made")
    with user_error("first 'cow': name them cat, dog, fox"):
        load(tmp_path / "made")
