"""Labelled images in npz files: layouts and ranges found and said, or refused in one line."""

import numpy as np
import pytest

from robgan_tf.data.array_file import read_array_file
from robgan_tf.errors import UserError

BYTES = np.random.default_rng(0).integers(0, 256, [6, 8, 9, 3]).astype(np.uint8)
SCALED = BYTES / 127.5 - 1.0
LABELS = np.array([0, 1, 2, 0, 1, 2])


def read(folder, class_names=(), **arrays):
    np.savez(folder / "images.npz", **arrays)
    return read_array_file(folder / "images.npz", class_names)


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (BYTES, "NHWC, uint8"),
        (BYTES.transpose(0, 3, 1, 2), "NCHW, uint8"),
        (BYTES / 255.0, "NHWC, floats in [0, 1]"),
        ((BYTES / 255.0).astype(np.float32).transpose(0, 3, 1, 2), "NCHW, floats in [0, 1]"),
        (SCALED, "NHWC, floats in [-1, 1]"),
    ],
)
def test_the_same_images_however_they_are_saved(images, found, tmp_path):
    source, line = read(tmp_path, x=images, y=LABELS)
    assert line == f"{tmp_path}/images.npz: 6 images, {found}"
    np.testing.assert_allclose(source.fetch_scaled(np.array([4, 1])), SCALED[[4, 1]], atol=1e-6)
    np.testing.assert_array_equal(source.fetch([4, 1]), BYTES[[4, 1]])
    np.testing.assert_array_equal(source.labels, LABELS)
    assert source.class_names == ("0", "1", "2") and source.channels == 3


def test_one_channel_other_names_and_labels_of_a_column(tmp_path):
    source, line = read(tmp_path, x_test=BYTES[..., 0], y_test=LABELS[:, None].astype(np.uint8))
    assert line.endswith("6 images, NHW, uint8")
    np.testing.assert_array_equal(source.fetch([2]), BYTES[[2], :, :, :1])
    np.testing.assert_array_equal(source.labels, LABELS)
    named, _ = read(tmp_path, ("cat", "dog", "cow", "hen"), x=BYTES, y=LABELS)
    assert named.class_names == ("cat", "dog", "cow", "hen")
    assert len(named.subset(np.array([1, 3]))) == 2


def test_square_images_are_meant_where_both_layouts_fit(tmp_path):
    for shape, layout in (([2, 3, 3, 1], "NHWC"), ([2, 1, 3, 3], "NCHW"), ([2, 3, 8, 8], "NCHW")):
        _, line = read(tmp_path, x=np.zeros(shape, np.uint8), y=LABELS[:2])
        assert layout in line


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": BYTES}, r"it holds x; x \(images\) and y are needed"),
        ({"x": BYTES.astype(np.int32), "y": LABELS}, "x is of int32; uint8 pixels, or floats"),
        ({"x": BYTES * 1.0, "y": LABELS}, "x is of floats from 0 to 255; uint8 pixels"),
        ({"x": SCALED * 2.0, "y": LABELS}, "what else a model wants is said by --input_range"),
        ({"x": SCALED * np.nan, "y": LABELS}, "x is of floats from nan to nan"),
        ({"x": BYTES[..., :2], "y": LABELS}, "neither its second nor its last axis is of 1 or 3"),
        ({"x": BYTES[0], "y": LABELS[:1]}, "neither|y is"),
        ({"x": BYTES[:0], "y": LABELS[:0]}, "x is of shape"),
        ({"x": BYTES, "y": LABELS[:4]}, r"y is int64 of shape \(4,\); the class of each of 6"),
        ({"x": BYTES, "y": np.eye(6)}, "integers from 0"),
        ({"x": BYTES, "y": LABELS - 1}, "its labels are from -1 to 1; classes are 0"),
        ({"x": np.array([object()]), "y": LABELS}, "pickled objects, which are programs"),
    ],
)
def test_what_is_refused(arrays, message, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, **arrays)
    assert "\n" not in str(error.value) and "images.npz cannot be used: " in str(error.value)
