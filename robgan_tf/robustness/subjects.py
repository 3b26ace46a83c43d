"""Classifiers that can be evaluated, and how they are made of models and functions."""

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.adapters.numpy_functions import as_function, has_gradient, has_logits
from robgan_tf.errors import UserError
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.typing import LogitsFunction


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A function from images in [-1, 1] to class logits, and what it is called.

    Attributes:
      name: for tables.
      logits: function from float images [N, H, W, C] in [-1, 1] to logits [N, K], differentiable
        with respect to the images, in inference mode.
      source: what identifies its weights, for records.
      hold: makes a context in which `logits` need not prepare its weights at each call.
      input_range: what `logits` make of [-1, 1] before the model itself sees it.
      own_gradient: whether its gradient was written by hand, and not derived from its logits.
    """

    name: str
    logits: LogitsFunction
    source: str
    hold: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    input_range: InputRange = dataclasses.field(default_factory=InputRange)
    own_gradient: bool = False


def discriminator_classifier(discriminator: keras.Model, name: str, source: str) -> Classifier:
    """Makes a Classifier of the class head of a D.

    Args:
      discriminator: a built `ResNetDiscriminator`, or another model with a `class_head`.
      name: for tables.
      source: what identifies its weights, for records.

    Raises:
      UserError: if D has no class head.
    """
    if discriminator.class_head is None:
        raise UserError(f"{name}: its discriminator was trained without classes")
    return Classifier(
        name,
        lambda images: discriminator(images, training=False)[1],
        source,
        lambda: hold_normalized_kernels(discriminator),
    )


def foreign_classifier(
    model: Any, name: str, source: str, input_range: InputRange | None = None
) -> Classifier:
    """Makes a Classifier of a model of any framework.

    Args:
      model: a Keras model or TensorFlow function that gives logits [N, K], or a pair of which
        they are the second; an object with `logits` and perhaps `input_gradient`
        (`adapters.numpy_functions`); or a PyTorch module.
      name: for tables.
      source: what identifies its weights, for records.
      input_range: an InputRange; images stay on [-1, 1] if None.

    Raises:
      UserError: if it is something else.
    """
    pixels = input_range or InputRange()
    model = _of_arrays(model)
    if isinstance(model, keras.Model):
        call: LogitsFunction = functools.partial(model, training=False)
    elif has_logits(model):
        call = as_function(model, name)
        source = " ".join(filter(None, [source, getattr(model, "identity", "")]))
    elif callable(model):
        call = model
    else:
        raise UserError(
            f"{name} is a {type(model).__name__}; a function from images to logits is needed, or "
            "an object with logits(images) and input_gradient(images, upstream)"
        )
    # The same weights on pixels of another range are another classifier.
    source = " ".join(filter(None, [source, pixels.described]))
    return Classifier(
        name,
        lambda images: _logits(call(pixels(images))),
        source,
        input_range=pixels,
        own_gradient=has_gradient(model),
    )


def _of_arrays(model: Any) -> Any:
    """A PyTorch module as what gives its logits and gradient; anything else as it is."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return model
    from robgan_tf.adapters.pytorch import PyTorchClassifier

    return PyTorchClassifier(model)


def _logits(outputs: tf.Tensor | tuple | list) -> tf.Tensor:
    return outputs[1] if isinstance(outputs, tuple | list) and len(outputs) == 2 else outputs
