"""What Keras's wrappers lack to be made again from their configuration."""

from typing import Any, Self

import keras


class RestoredWrapper:
    """A wrapper of any registered layer, before `keras.layers.Wrapper` among the bases.

    Keras 2 looks for the class of the wrapped layer without the package it is registered in, and
    so finds Keras's own only.
    """

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Returns the wrapper that `get_config` described."""
        config = dict(config)
        layer = keras.layers.deserialize(config.pop("layer"), custom_objects=custom_objects)
        return cls(layer, **config)  # type: ignore[call-arg]
