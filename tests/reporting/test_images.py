import os

import numpy as np
import pytest
from PIL import Image, ImageDraw

from robgan_tf.reporting import attack_sheet, sample_sheet, save_png, to_uint8
from robgan_tf.reporting.drawing import BACKGROUND

GRAY_LEVELS = np.arange(256, dtype=np.uint8)


def test_every_byte_survives_the_way_to_floats_and_back():
    for dtype in (np.float32, np.float64):
        floats = (GRAY_LEVELS / 127.5 - 1).astype(dtype)
        np.testing.assert_array_equal(to_uint8(floats), GRAY_LEVELS)


def test_values_are_rounded_and_clipped():
    values = np.array([-7, -1, -1 + 0.9 / 255, -1 + 1.1 / 255, 1, 7, np.inf, -np.inf])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 1, 255, 255, 255, 0])


def test_what_is_not_on_minus_1_to_1_is_refused():
    with pytest.raises(TypeError, match="uint8"):
        to_uint8(GRAY_LEVELS)
    with pytest.raises(ValueError, match="NaN"):
        to_uint8(np.array([0, np.nan]))


def samples(rows, columns, height, width, channels):
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, (rows, columns, height, width, channels))
    return levels.astype(np.uint8), (levels / 127.5 - 1).astype(np.float32)


@pytest.mark.parametrize(
    ("height", "width", "channels", "factor"),
    [(32, 32, 3, 2), (40, 30, 3, 2), (41, 41, 3, 1), (28, 28, 1, 2), (8, 8, 1, 5), (64, 48, 3, 1)],
)
def test_every_sample_is_at_its_place(height, width, channels, factor):
    levels, images = samples(3, 4, height, width, channels)
    sheet = sample_sheet(images, ["airplane", "cat", "dog"])
    tile_height, tile_width = factor * height, factor * width
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] == 3 * (tile_height + 2) + 2
    grid_left = sheet.shape[1] - (4 * (tile_width + 2) + 2)
    seen = np.zeros(sheet.shape[:2], bool)
    for row in range(3):
        for column in range(4):
            top = 2 + row * (tile_height + 2)
            left = grid_left + 2 + column * (tile_width + 2)
            for y in range(0, tile_height, 7):
                for x in range(0, tile_width, 7):
                    pixel = sheet[top + y, left + x]
                    expected = levels[row, column, y // factor, x // factor]
                    assert (pixel == expected).all()  # one gray level repeats to three
            seen[top : top + tile_height, left : left + tile_width] = True
    gaps = sheet[:, grid_left:][~seen[:, grid_left:]]
    assert (gaps == BACKGROUND).all()


def ink(area):
    """Rows and columns of the dark pixels of an area: text."""
    return np.nonzero((area < 100).all(axis=-1))


def test_names_stand_beside_their_rows_and_are_not_cut_off():
    _, images = samples(4, 2, 32, 32, 3)
    names = ["cat", "", "Staffordshire bullterrier", "yellow lady-slipper, " * 20]
    sheet = sample_sheet(images, names)
    labels = sheet[:, : sheet.shape[1] - (2 * 66 + 2)]
    for row, name in enumerate(names):
        y, x = ink(labels[2 + row * 66 : 2 + row * 66 + 64])
        if not name:
            assert len(y) == 0
            continue
        assert y.min() >= 2 and y.max() <= 61
        assert x.min() >= 3 and x.max() <= labels.shape[1] - 4
        assert abs((y.min() + y.max()) / 2 - 31.5) < 6
    short, long = (ink(labels[2 + row * 66 : 66 + row * 66]) for row in (0, 2))
    assert np.ptp(long[1]) > 4 * np.ptp(short[1])
    assert np.ptp(long[0]) < 15  # on one line


def test_different_names_are_drawn_differently():
    _, images = samples(2, 1, 32, 32, 3)
    sheet = sample_sheet(images, ["cat", "dog"])
    assert (sheet[2:66, :-68] != sheet[68:132, :-68]).any()


@pytest.fixture
def drawn(monkeypatch):
    """The lines of text given to Pillow, in order."""
    lines = []
    draw_text = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda self, place, text, *rest: lines.append(text) or draw_text(self, place, text, *rest),
    )
    return lines


def test_a_name_that_is_shortened_says_so(drawn):
    _, images = samples(2, 1, 20, 20, 1)
    sample_sheet(images, ["English setter", "one two three four five six " * 5])
    assert drawn[0] == "English setter"
    assert [line.endswith("...") for line in drawn[1:]] == [False, True]
    assert ("one two three four five six " * 5).startswith(f"{drawn[1]} {drawn[2][:-3]}")


def test_a_thousand_rows():
    _, images = samples(1000, 1, 8, 8, 1)
    assert sample_sheet(images, [f"class {n}" for n in range(1000)]).shape[0] == 42 * 1000 + 2


def test_wrong_samples_are_refused():
    _, images = samples(3, 2, 8, 8, 1)
    with pytest.raises(ValueError, match="3 rows"):
        sample_sheet(images, ["one", "two"])
    with pytest.raises(ValueError, match="rows, columns"):
        sample_sheet(images[0], ["one", "two"])
    with pytest.raises(ValueError, match="channels"):
        sample_sheet(np.zeros((1, 1, 8, 8, 2)), ["one"])


def test_attack_tiles_are_at_their_places_around_mid_gray():
    originals = np.full((2, 32, 32, 3), -0.5, np.float32)
    attacked = originals.copy()
    attacked[0, 0, 0] += 1 / 16  # the largest change: white
    attacked[0, 0, 1] -= 1 / 16  # black
    attacked[1, 0, 0] += 1 / 32  # half way up, in the same scale as the other image
    sheet = attack_sheet(originals, attacked, "0.0625 (7.97/255)")
    tile, step = 96, 98
    for image in range(2):
        top = sheet.shape[0] - (2 - image) * step
        assert (sheet[top, 2] == 64).all()
        assert (sheet[top + 95, 2 + step + 95] == 64).all()
    top, left = sheet.shape[0] - 2 * step, 2 + 2 * step
    perturbation = sheet[top : top + tile, left : left + tile]
    assert (perturbation[0:3, 0:3] == 255).all()
    assert (perturbation[0:3, 3:6] == 0).all()
    assert (perturbation[3:] == 128).all()
    assert (sheet[top + step, left] == 191).all()
    assert (sheet[top, 2 + step] == round((-0.5 + 1 / 16 + 1) * 127.5)).all()


def test_the_headline_follows_the_factor_and_the_radius(drawn):
    zeros = np.zeros((1, 32, 32, 1), np.float32)
    for change, text in [(1 / 16, "x 16"), (16 / 255, "x 15.9"), (2, "x 0.5"), (0, "(none)")]:
        drawn.clear()
        sheet = attack_sheet(zeros, zeros + change, "RADIUS", ["cat -> dog"])
        headlines = ["original", "attacked", "perturbation", text]
        assert drawn == [*headlines, "cat -> dog", "attack radius RADIUS"]
        assert (sheet[-50, -50] == (255 if change else 128)).all()


def test_attack_captions_radius_and_further_blocks():
    _, images = samples(1, 11, 8, 8, 1)
    images = images[0]
    bare = attack_sheet(images, images, "0.5 in L2 (63.75/255 in L2)")
    assert bare.shape[1] == 2 * (3 * 98 + 2)
    names = ["cat -> Staffordshire bullterrier " * min(n + 1, 8) for n in range(10)] + ["cat"]
    named = attack_sheet(images, images, "0.5 in L2 (63.75/255 in L2)", names)
    assert named.shape[0] == bare.shape[0]
    caption_width = (named.shape[1] - bare.shape[1]) // 2
    first_row = bare.shape[0] - 8 * 98
    for number in range(11):
        block, row = divmod(number, 8)
        left = block * named.shape[1] // 2
        top = first_row + row * 98
        y, x = ink(named[top : top + 96, left : left + caption_width])
        assert y.min() >= 1 and y.max() <= 94 and x.min() >= 3 and x.max() <= caption_width - 4
        assert (np.ptp(x) < 30) == (names[number] == "cat")
        tile = named[top : top + 96, left + caption_width + 2 :][:, :96]
        np.testing.assert_array_equal(
            tile, to_uint8(images[number]).repeat(12, 0).repeat(12, 1).repeat(3, 2)
        )


def test_the_radius_is_not_cut_off_on_a_narrow_sheet():
    images = np.zeros((1, 96, 96, 3), np.float32)
    sheet = attack_sheet(images, images, "0.123456789 in L2 (63.75/255 in L2)  " * 3)
    assert sheet.shape[1] > 3 * 98 + 2
    assert ink(sheet[:24])[1].max() < sheet.shape[1] - 3


def test_wrong_attacks_are_refused():
    images = np.zeros((2, 8, 8, 1), np.float32)
    with pytest.raises(ValueError, match="like originals"):
        attack_sheet(images, images[:1], "")
    with pytest.raises(ValueError, match="captions"):
        attack_sheet(images, images, "", ["one"])
    with pytest.raises(ValueError, match="N, H, W, C"):
        attack_sheet(images[0], images[0], "")
    with pytest.raises(TypeError):
        attack_sheet(to_uint8(images), to_uint8(images), "")


def picture():
    return np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def test_png_reads_back_and_leaves_nothing_else(tmp_path):
    save_png(tmp_path / "new" / "sheet.png", picture())
    with Image.open(tmp_path / "new" / "sheet.png") as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), picture())
    assert os.listdir(tmp_path / "new") == ["sheet.png"]


def test_a_saved_picture_is_never_replaced(tmp_path):
    path = tmp_path / "sheet.png"
    save_png(path, picture())
    before = path.read_bytes(), path.stat().st_mtime_ns
    save_png(path, picture())
    with pytest.raises(FileExistsError, match=r"sheet\.png"):
        save_png(path, 255 - picture())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert os.listdir(tmp_path) == ["sheet.png"]


def test_a_failure_while_saving_leaves_nothing_behind(tmp_path, monkeypatch):
    def no_space(source, target):
        assert os.path.dirname(source) == os.path.dirname(target)  # else it is not atomic
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        save_png(tmp_path / "sheet.png", picture())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8)])
def test_wrong_pictures_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="uint8"):
        save_png(tmp_path / "sheet.png", wrong)
