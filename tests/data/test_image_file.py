"""Tests of reading one image file."""

import numpy as np
import pytest
from PIL import Image

from robgan_tf.data.image_file import DECODE_ERRORS, read_image
from robgan_tf.data.image_file_before import read_image_by_pillow
from tests.data.helpers import random_pixels, save_image


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif"])
def test_formats(tmp_path, suffix):
    path = save_image(tmp_path / f"a.{suffix}", (200, 100, 40))
    image = read_image(path, 8, 3)
    assert image.dtype == np.uint8 and image.shape == (8, 8, 3)
    np.testing.assert_allclose(image[4, 4], [200, 100, 40], atol=6)


def test_exact_pixels_without_resize(tmp_path):
    pixels = random_pixels(6, 6, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 6, 3), pixels)


@pytest.mark.parametrize("tall", [False, True])
def test_centre_square(tmp_path, tall):
    pixels = np.zeros([8, 16, 3], np.uint8)
    pixels[:, 4:12] = random_pixels(8, 8, 3)
    pixels = pixels.transpose(1, 0, 2) if tall else pixels
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = pixels[4:12] if tall else pixels[:, 4:12]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 8, 3), expected)


def test_box_is_y_first_and_relative_to_the_square(tmp_path):
    pixels = random_pixels(8, 12, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    shown = read_image(tmp_path / "a.png", 4, 3, box=(0.0, 0.5, 0.5, 1.0))
    np.testing.assert_array_equal(shown, pixels[:4, 2 + 4 : 2 + 8])


def test_resize_is_antialiased(tmp_path):
    """A fine checkerboard becomes gray; sampling without a filter would keep it."""
    board = np.indices([64, 64]).sum(axis=0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "a.png")
    small = read_image(tmp_path / "a.png", 8, 1)
    np.testing.assert_allclose(small, 127.5, atol=4)


@pytest.mark.parametrize("box", [None, (0.05, 0.0, 0.95, 0.9)])
def test_reduced_jpeg_decoding_changes_little(tmp_path, box):
    """A large JPEG is decoded at reduced size, yet looks like the full decoding.

    The mean difference is 1.3 to 1.7, and 8 to 9 when the reduction leaves fewer than two
    decoded pixels for each pixel shown.
    """
    fine = Image.fromarray(random_pixels(64, 64, 3)).resize((288, 288), Image.BICUBIC)
    fine.save(tmp_path / "a.jpg", quality=95)
    fine.save(tmp_path / "a.bmp")
    fast = read_image(tmp_path / "a.jpg", 32, 3, box).astype(int)
    full = read_image(tmp_path / "a.bmp", 32, 3, box).astype(int)
    assert np.abs(fast - full).mean() < 3


def test_grayscale_to_rgb_and_back(tmp_path):
    save_image(tmp_path / "gray.png", 90, mode="L")
    assert np.all(read_image(tmp_path / "gray.png", 4, 3) == 90)
    save_image(tmp_path / "red.png", (255, 0, 0))
    gray = read_image(tmp_path / "red.png", 4, 1)
    assert gray.shape == (4, 4, 1) and np.all(gray == 76)  # ITU-R 601: 0.299 * 255


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("RGBA", (200, 0, 0, 0), [255] * 3),
        ("RGBA", (0, 0, 0, 51), [204] * 3),
        ("LA", (9, 255), [9] * 3),
    ],
)
def test_alpha_is_laid_over_white(tmp_path, mode, value, expected):
    save_image(tmp_path / "a.png", value, mode=mode)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 4, 3)[2, 2], expected)


def test_transparent_palette(tmp_path):
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.save(tmp_path / "opaque.png")
    picture.save(tmp_path / "clear.png", transparency=1)
    assert read_image(tmp_path / "opaque.png", 4, 3)[0, 0].tolist() == [10, 20, 30]
    assert read_image(tmp_path / "clear.png", 4, 3)[0, 0].tolist() == [255, 255, 255]


def test_sixteen_bits_are_scaled_and_not_saturated(tmp_path):
    Image.fromarray(np.full([4, 4], 257 * 100, np.uint16)).save(tmp_path / "a.png")
    assert np.all(read_image(tmp_path / "a.png", 4, 1) == 100)


@pytest.mark.parametrize("name", ["a.tiff", "a.ppm", "a.ico", "a.tga"])
def test_what_exported_models_do_not_decode_is_refused(tmp_path, name):
    path = save_image(tmp_path / name, (1, 2, 3))
    with pytest.raises(ValueError, match="files are not read, because exported models could not"):
        read_image(path, 4, 3)


def test_a_run_of_before_reads_as_before(tmp_path):
    """All of Pillow's formats, none turned, and rows and columns as Pillow itself has it."""
    pixels = random_pixels(31, 20, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    # Pillow by itself turns TIFF files, and no others.
    for name, options in (("a.png", {"exif": exif}), ("a.tiff", {})):
        Image.fromarray(pixels).save(tmp_path / name, **options)
        expected = Image.fromarray(pixels).resize(
            (8, 8), Image.Resampling.BICUBIC, box=(0, 5.5, 20, 25.5)
        )
        np.testing.assert_array_equal(read_image_by_pillow(tmp_path / name, 8, 3), expected)


def test_unreadable_files(tmp_path):
    whole = save_image(tmp_path / "whole.png", (1, 2, 3), size=(64, 64)).read_bytes()
    save_image(tmp_path / "whole.jpg", (1, 2, 3), size=(64, 64))
    jpeg = (tmp_path / "whole.jpg").read_bytes()
    broken = {
        "text.jpg": b"not an image",
        "empty.png": b"",
        "cut.png": whole[: len(whole) * 2 // 3],
        "cut.jpg": jpeg[: len(jpeg) - 40],
        "float.tiff": None,
    }
    Image.new("F", (4, 4)).save(tmp_path / "float.tiff")
    for name, data in broken.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(DECODE_ERRORS) as error:
            read_image(tmp_path / name, 4, 3)
        assert " at 0x" not in str(error.value)
    with pytest.raises(DECODE_ERRORS):
        read_image(tmp_path / "missing.png", 4, 3)
