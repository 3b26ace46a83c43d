"""The kernels that `hold_normalized_kernels` holds, for the calling thread: one replica's."""

import threading
from collections.abc import Mapping
from typing import Any

import keras

_held = threading.local()


def held_kernels() -> Mapping[int, Any]:
    """What is held, by the identity of the layer it is for."""
    return getattr(_held, "kernels", {})


def held_kernel(layer: keras.layers.Layer) -> Any:
    """The kernel that is held for a layer; None where none is."""
    return held_kernels().get(id(layer))


def hold(kernels: Mapping[int, Any]) -> None:
    """Holds these kernels, and no others."""
    _held.kernels = kernels
