"""Files that replace none; animations."""

import io

import numpy as np
import pytest
from PIL import Image

from robgan_tf.reporting import png
from robgan_tf.sampling.image_files import back_and_forth_gif, write_result
from tests.data.helpers import random_pixels, user_error


@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_every_pixel(channels):
    image = random_pixels(7, 5, channels)
    read = np.asarray(Image.open(io.BytesIO(png(image))))
    np.testing.assert_array_equal(read.reshape(image.shape), image)


def test_a_file_is_never_replaced(tmp_path):
    path = tmp_path / "new" / "file"
    write_result(path, b"one")
    write_result(path, b"one")
    with user_error("exists already and holds something else: remove it"):
        write_result(path, b"two")
    assert path.read_bytes() == b"one"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    with user_error("cannot be written: .*--output_dir"):
        write_result(path / "below a file", "text")


def test_gif_runs_forwards_then_backwards_without_end():
    frames = [np.full([8, 6, 3], value, np.uint8) for value in (0, 100, 200, 255)]
    gif = Image.open(io.BytesIO(back_and_forth_gif(frames)))
    assert gif.info["loop"] == 0
    values, durations = [], []
    for number in range(gif.n_frames):
        gif.seek(number)
        values.append(int(np.asarray(gif.convert("RGB"))[0, 0, 0]))
        durations.append(gif.info["duration"])
    assert values == [0, 100, 200, 255, 200, 100]
    assert set(durations) == {70}


def test_gif_of_gray_images_keeps_every_pixel():
    frames = [np.repeat(random_pixels(9, 9, 1, seed=k), 3, axis=2) for k in range(3)]
    gif = Image.open(io.BytesIO(back_and_forth_gif(frames)))
    for number, frame in enumerate(frames):
        gif.seek(number)
        np.testing.assert_array_equal(gif.convert("RGB"), frame)
