"""Small image data for the tests."""

import contextlib

import numpy as np
import pytest
from PIL import Image

from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError


def numbered_source(count, resolution=2, classes=3, storage=None):
    """A source whose image k has the value k in every pixel, and the label k % classes."""
    storage = storage or resolution
    values = np.arange(count, dtype=np.uint8)[:, None, None, None]
    pixels = np.broadcast_to(values, [count, storage, storage, 1]).copy()
    names = [f"class {label}" for label in range(classes)]
    return InMemorySource(pixels, np.arange(count) % classes, names, resolution)


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save_image(path, value=128, size=(12, 10), mode="RGB"):
    """Saves a picture of one colour (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


def make_folder(root, counts, split="train"):
    """Writes `counts[name]` gray pictures; picture k of class c has value 20 * c + k."""
    for label, (name, count) in enumerate(counts.items()):
        for k in range(count):
            value = 20 * label + k
            save_image(root / split / name / f"{k}.png", (value, value, value))
    return root


@contextlib.contextmanager
def user_error(match):
    """Expects a UserError whose message is one line and matches `match`."""
    with pytest.raises(UserError, match=match) as caught:
        yield
    assert "\n" not in str(caught.value)
