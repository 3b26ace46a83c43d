"""A classifier whose logits, and perhaps gradient, are computed outside TensorFlow on numpy arrays.

It is wrapped once, and is then a function like any other: within compiled attacks too, which call
back into Python at each of its calls.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from robgan_tf.errors import UserError, one_line
from robgan_tf.typing import LogitsFunction

# What TensorFlow makes of a UserError that a Python function in a graph raises.
_WITHIN_GRAPH = re.compile(r"UserError: (.+)")


class LogitsOfArrays(Protocol):
    """A classifier that is asked for logits only: black-box attacks need no more."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Computes logits in inference mode.

        Args:
          images: float32 [N, H, W, C], in the range of pixels that the model wants; N varies.

        Returns:
          Floats [N, K].
        """


class ClassifierOfArrays(LogitsOfArrays, Protocol):
    """A classifier that also knows its gradient with respect to images."""

    def input_gradient(self, images: np.ndarray, upstream: np.ndarray) -> np.ndarray:
        """Computes the gradient of sum(upstream * logits(images)), image by image.

        Args:
          images: as for `logits`; attacks ask for a gradient right after the logits of the same
            images.
          upstream: float32 [N, K], the gradient of what is attacked with respect to the logits.

        Returns:
          Floats [N, H, W, C].
        """


def as_function(model: LogitsOfArrays, name: str) -> LogitsFunction:
    """Makes a TensorFlow function of a classifier of numpy arrays.

    Args:
      model: a LogitsOfArrays; where it is a ClassifierOfArrays the function has its gradient, and
        otherwise none.
      name: of the classifier, for messages.

    Returns:
      A function from float32 images [N, H, W, C], where all but N is known, to logits float32
      [N, K], which works in graphs and eagerly. What the model raises, and arrays that are not as
      above, become a UserError: use it within `user_errors`.
    """
    calls = _Calls(model, name)

    def function(images: tf.Tensor) -> tf.Tensor:
        classes = calls.classes(tuple(images.shape[1:]))

        @tf.custom_gradient
        def differentiable(images: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                found = tf.numpy_function(calls.input_gradient, [images, upstream], tf.float32)
                return tf.ensure_shape(found, images.shape)

            return forward(images), gradient

        def forward(images: tf.Tensor) -> tf.Tensor:
            logits = tf.numpy_function(calls.logits, [images], tf.float32)
            return tf.ensure_shape(logits, [images.shape[0], classes])

        images = tf.cast(images, tf.float32)
        return differentiable(images) if has_gradient(model) else forward(images)

    return function


def has_logits(model: Any) -> bool:
    """Whether an object is a LogitsOfArrays."""
    return callable(getattr(model, "logits", None))


def has_gradient(model: Any) -> bool:
    """Whether an object is a ClassifierOfArrays."""
    return has_logits(model) and callable(getattr(model, "input_gradient", None))


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """A UserError raised within a graph leaves this context as what it was."""
    try:
        yield
    except tf.errors.OpError as error:
        found = _WITHIN_GRAPH.search(str(error))
        if found is None:
            raise
        raise UserError(found[1]) from error


class _Calls:
    """The calls of a model of numpy arrays, whose results are checked."""

    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        self._name = name
        self._classes: dict[tuple[int, ...], int] = {}

    def classes(self, image_shape: tuple[int, ...]) -> int:
        """K, found out by one call."""
        if image_shape not in self._classes:
            logits = self.logits(np.zeros([1, *image_shape], np.float32))
            self._classes[image_shape] = logits.shape[1]
        return self._classes[image_shape]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits, float32 [N, K]."""
        logits = self._call("logits", images)
        wanted = self._classes.get(images.shape[1:])
        if logits.ndim != 2 or len(logits) != len(images) or wanted not in (None, logits.shape[1]):
            raise UserError(
                f"{self._name}: logits(images) gives an array of shape {logits.shape} for images "
                f"of shape {images.shape}; [{len(images)}, {wanted or 'classes'}] is needed"
            )
        return logits

    def input_gradient(self, images: np.ndarray, upstream: np.ndarray) -> np.ndarray:
        """The gradient, float32 [N, H, W, C]."""
        gradient = self._call("input_gradient", images, upstream)
        if gradient.shape != images.shape:
            raise UserError(
                f"{self._name}: input_gradient(images, upstream) gives an array of shape "
                f"{gradient.shape} for images of shape {images.shape}; the same shape is needed"
            )
        return gradient

    def _call(self, method: str, *arrays: np.ndarray) -> np.ndarray:
        try:
            # TensorFlow's own memory is not to be written to, or kept.
            found = np.asarray(getattr(self._model, method)(*(array.copy() for array in arrays)))
        except UserError:
            raise
        # Whatever a user's program raises is the user's to mend.
        except Exception as error:
            raise UserError(
                f"{self._name}: {method} fails on images of shape {arrays[0].shape}: "
                f"{one_line(error)}"
            ) from error
        if found.dtype.kind != "f":
            raise UserError(
                f"{self._name}: {method} gives an array of {found.dtype}; floats are needed, as a "
                "numpy array"
            )
        return found.astype(np.float32, copy=False)
