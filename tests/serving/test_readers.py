"""Training, evaluation and exported models see the same pixels of a file, or all refuse it."""

import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from robgan_tf.data.decoding import decode_picture, fit_square
from robgan_tf.data.image_file import exif_orientation, read_image
from tools.image_readers import PAGE, SIDE
from tools.readers.compare import compare_readers
from tools.readers.encodings import encodings

# Before TensorFlow 2.21 an exported model refuses WebP: docs/guides/serving.md.
GRAPHS_READ_WEBP = hasattr(tf.io, "decode_webp")
REFUSED = ("TIFF", "PPM", "TGA", "ICO", "text")


@pytest.mark.parametrize("channels", [3, 1])
def test_three_readers_of_many_encodings(channels, tmp_path):
    files = encodings()
    assert len(files) >= 45
    seen = compare_readers(files, SIDE, channels, tmp_path)
    disagreeing = {name: one for name, one in seen.items() if not one.agrees}
    if GRAPHS_READ_WEBP:
        assert disagreeing == {}
    else:
        assert len(disagreeing) == 4
        assert all(name.startswith("WebP") for name in disagreeing)
        assert all(one.server is None for one in disagreeing.values())
    refused = {name for name, one in seen.items() if one.training is None}
    assert refused == {
        name for name in files if name in REFUSED or "cut short" in name or "claims" in name
    }


def test_the_table_of_the_manual_is_of_these_encodings():
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)[1:]
    assert [row[0] for row in rows] == [*encodings()]
    assert {cell for row in rows for cell in row[1:]} == {
        "0, 0",
        "training refuses: refused",
        "refused",
    }


@pytest.fixture(scope="module")
def in_graph():
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def read(encoded):
        return fit_square(decode_picture(encoded, 32, 3)[None], 32)[0]

    return read


@pytest.mark.parametrize("orientation", range(10))
def test_a_picture_is_turned_as_pillow_turns_it(in_graph, tmp_path, orientation):
    pixels = np.random.default_rng(0).integers(0, 256, [32, 32, 3], dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for ending in ("png", *(["webp"] if GRAPHS_READ_WEBP else [])):
        path = tmp_path / f"a.{ending}"
        Image.fromarray(pixels).save(path, exif=exif, lossless=True)
        with Image.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(read_image(path, 32, 3), expected)
        np.testing.assert_array_equal(in_graph(path.read_bytes()), expected)


def test_broken_exif_is_read_alike(in_graph, tmp_path):
    """Whatever stands in the data: both readers find the same orientation, and neither fails."""
    generator = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x0132] = "maker", 6, "2020:01:01 00:00:00"
    whole = exif.tobytes()
    pixels = Image.fromarray(generator.integers(0, 256, [32, 32, 3], dtype=np.uint8))
    orientations = set()
    for _ in range(60):
        data = bytearray(whole)
        for place in generator.integers(6, len(data), 2):
            data[place] = generator.integers(0, 256)
        data = bytes(data[: generator.integers(8, len(data) + 1)])
        path = tmp_path / "a.jpg"
        pixels.save(path, exif=data, quality=90)
        orientations.add(exif_orientation(data))
        np.testing.assert_array_equal(in_graph(path.read_bytes()), read_image(path, 32, 3))
    assert {0, 6} <= orientations


@pytest.mark.parametrize("size", [(33, 50), (50, 33), (7, 9), (300, 20), (1, 1), (600, 431)])
def test_the_resize_is_pillows(size):
    pixels = np.random.default_rng(0).integers(0, 256, [*size, 3], dtype=np.uint8)
    height, width = size
    side = min(size)
    for wanted in (16, 32, 128):
        columns = Image.fromarray(pixels).resize(
            (wanted, height), Image.Resampling.BICUBIC,
            box=((width - side) / 2, 0, (width + side) / 2, height),
        )  # fmt: skip
        expected = columns.resize(
            (wanted, wanted), Image.Resampling.BICUBIC,
            box=(0, (height - side) / 2, wanted, (height + side) / 2),
        )  # fmt: skip
        np.testing.assert_array_equal(fit_square(tf.constant(pixels[None]), wanted)[0], expected)


def test_real_photographs(in_graph, real_data):
    photographs = sorted((real_data / "imagenet143_sample" / "val").glob("*/*.jpg"))[::12]
    assert len(photographs) == 20
    for path in photographs:
        np.testing.assert_array_equal(in_graph(path.read_bytes()), read_image(path, 32, 3))
