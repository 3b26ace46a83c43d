"""Example requests for every signature: for warming a server up, and for checking one."""

from collections.abc import Callable

import numpy as np

from robgan_tf.reporting import png
from robgan_tf.typing import JsonObject


def example_inputs(card: JsonObject, signature: str, count: int = 2) -> dict[str, np.ndarray]:
    """Makes valid inputs of a signature.

    Args:
      card: the model card.
      signature: name of the signature.
      count: images asked for.

    Returns:
      Dict from input name to array [count, ...]; encoded images are an object array of bytes.
    """
    generator = np.random.default_rng(0)
    labels = np.arange(count, dtype=np.int64) % len(card["class_names"])
    inputs = card["signatures"][signature]["inputs"]
    values: dict[str, Callable[[], np.ndarray]] = {
        "labels": lambda: labels,
        "latents": lambda: generator.normal(size=[count, inputs["latents"]["shape"][1]]).astype(
            np.float32
        ),
        "seed": lambda: np.arange(count, dtype=np.int64),
        "truncation": lambda: np.full([count], 2.0, np.float32),
        "images": lambda: _images(card, count, inputs["images"]["dtype"]),
        "image_bytes": lambda: np.array(
            [png(image) for image in _images(card, count, "uint8")], dtype=object
        ),
    }
    return {name: values[name]() for name in inputs}


def _images(card: JsonObject, count: int, dtype: str) -> np.ndarray:
    """Smooth gradients of different directions, one an image."""
    side, channels = card["resolution"], card["channels"]
    y, x = np.mgrid[0:side, 0:side] / (side - 1)
    angles = np.linspace(0.3, 2.8, count * channels).reshape(count, 1, 1, channels)
    waves = np.sin(4.0 * (x[..., None] * np.cos(angles) + y[..., None] * np.sin(angles)))
    pixels = np.round((waves + 1.0) * 127.5).astype(np.uint8)
    return pixels if dtype == "uint8" else (pixels / 127.5 - 1.0).astype(np.float32)
