"""Classifiers that can be evaluated: of a run, an exported SavedModel, a Keras model file."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.errors import UserError, first_line
from robgan_tf.files import tree_digest
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.models.model_files import load_keras_file, load_saved_model
from robgan_tf.robustness.steadiness import first_change
from robgan_tf.typing import LogitsFunction, PathLike

_PROBE_IMAGES = 16
# How far sums of rows may be from 1 for values in [0, 1] to be taken for probabilities.
_PROBABILITY_TOLERANCE = 1e-3


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
    """

    name: str
    logits: LogitsFunction
    source: str
    hold: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    input_range: "InputRange" = dataclasses.field(default_factory=lambda: InputRange())


@dataclasses.dataclass(frozen=True)
class InputRange:
    """What a foreign model wants its pixels to be.

    Attributes:
      minimum: what -1 becomes.
      maximum: what 1 becomes.
      mean: one value a channel, subtracted afterwards; empty for none.
      deviation: one value a channel, divided by at last; empty for none.
    """

    minimum: float = -1.0
    maximum: float = 1.0
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.minimum < self.maximum:
            raise UserError(
                f"input range {self.minimum:g},{self.maximum:g}: give the lower value first, "
                "for instance 0,1 (--input_range)"
            )
        if 0.0 in self.deviation:
            raise UserError("a deviation of 0 cannot be divided by (--input_deviation)")

    @property
    def described(self) -> str:
        """What it is, for records; empty where images stay as they are."""
        values = {
            "on": () if self == InputRange() else (self.minimum, self.maximum),
            "mean": self.mean,
            "deviation": self.deviation,
        }
        return " ".join(f"{name} {list(given)}" for name, given in values.items() if given)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Maps images in [-1, 1] to what the model wants."""
        middle, half = (self.minimum + self.maximum) / 2.0, (self.maximum - self.minimum) / 2.0
        scaled = middle + half * images
        if self.mean:
            scaled -= tf.constant(self.mean, images.dtype)
        if self.deviation:
            scaled /= tf.constant(self.deviation, images.dtype)
        return scaled

    def undo(self, pixels: tf.Tensor) -> tf.Tensor:
        """Maps what the model wants back to images in [-1, 1]."""
        middle, half = (self.minimum + self.maximum) / 2.0, (self.maximum - self.minimum) / 2.0
        if self.deviation:
            pixels *= tf.constant(self.deviation, pixels.dtype)
        if self.mean:
            pixels += tf.constant(self.mean, pixels.dtype)
        return (pixels - middle) / half

    def __str__(self) -> str:
        text = f"[{self.minimum:g}, {self.maximum:g}]"
        if self.mean:
            text += f" less the mean {_listed(self.mean)}"
        if self.deviation:
            text += f", over the deviation {_listed(self.deviation)}"
        return text

    @property
    def flags(self) -> str:
        """The flags that ask for it."""
        flags = f"--input_range={self.minimum:g},{self.maximum:g}"
        if self.mean:
            flags += f" --input_mean={_listed(self.mean)}"
        if self.deviation:
            flags += f" --input_deviation={_listed(self.deviation)}"
        return flags


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


def load_model_file(path: PathLike, input_range: InputRange) -> Classifier:
    """Loads a SavedModel directory or a Keras model file whose output is class logits.

    Args:
      path: directory of a SavedModel, or a .keras or .h5 file.
      input_range: an InputRange.

    Raises:
      UserError: if it cannot be loaded or called.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise UserError(f"model {path} does not exist (--model)")
    try:
        if path.is_dir():
            call = _signature(load_saved_model(path), path)
        else:
            call = functools.partial(load_keras_file(path), training=False)
    except ValueError as error:
        raise UserError(f"model {path} cannot be loaded: {first_line(error)}") from error
    # The same weights on pixels of another range are another classifier.
    source = " ".join(filter(None, [path.name, tree_digest(path), input_range.described]))
    return Classifier(
        path.name, lambda images: call(input_range(images)), source, input_range=input_range
    )


def check_classifier(
    classifier: Classifier, images: np.ndarray, num_classes: int, randomised: bool = False
) -> int:
    """Calls a classifier on a few images and refuses what no attack could believe.

    Args:
      classifier: a Classifier.
      images: [N, H, W, C] in [-1, 1]; the first few are used.
      num_classes: classes of the data.
      randomised: whether it may answer by chance.

    Returns:
      The number of classes of the model.

    Raises:
      UserError: if its outputs are not finite logits [N, K] with K >= num_classes, or those of an
        image depend on more than that image.
    """
    images = images[:_PROBE_IMAGES]
    try:
        logits = classifier.logits(tf.convert_to_tensor(images))
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        raise UserError(
            f"{classifier.name} does not take images of shape {tuple(images.shape[1:])}: "
            f"{first_line(error)}"
        ) from error
    values = np.asarray(logits)
    if values.ndim != 2 or len(values) != len(images):
        raise UserError(
            f"{classifier.name} gives an output of shape {values.shape} for {len(images)} images; "
            "class logits [N, classes] are needed"
        )
    if not np.isfinite(values).all():
        raise UserError(f"{classifier.name} gives infinite or NaN logits on clean images")
    if values.shape[1] == 1:
        raise UserError(
            f"{classifier.name} gives one logit an image: of one class no image is ever wrong, and "
            "there is nothing to attack; a model of two classes has to give two logits"
        )
    if values.shape[1] < num_classes:
        raise UserError(
            f"{classifier.name} knows {values.shape[1]} classes and the data has {num_classes}: "
            "evaluate it on data of its own classes"
        )
    if are_probabilities(values):
        raise UserError(
            f"{classifier.name} gives probabilities, not logits: attacks through a softmax that "
            "saturates find nothing and overstate robustness; leave out its last activation"
        )
    if not randomised:
        _check_steadiness(classifier, images)
    return values.shape[1]


def _check_steadiness(classifier: Classifier, images: np.ndarray) -> None:
    found = first_change(
        lambda some: [np.asarray(classifier.logits(tf.convert_to_tensor(some)))],
        images,
    )
    if found is not None:
        when, change = found
        raise UserError(
            f"{classifier.name} gives other logits for the same image {when}: they change by "
            f"{change:.1%} of the spread between images. An accuracy under attack would depend on "
            "chance or on how images are batched: call the model in inference mode "
            "(training=False), without statistics of the batch and dropout; a model that is "
            "meant to answer by chance is measured by --attack=autoattack-rand"
        )


def are_probabilities(values: np.ndarray) -> bool:
    """Whether an array [N, K] is of probabilities, where logits are wanted."""
    sums = np.abs(values.sum(axis=1) - 1.0)
    return bool(values.min() >= 0.0 and sums.max() < _PROBABILITY_TOLERANCE)


def _listed(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


def _signature(loaded: Any, path: pathlib.Path) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function of a SavedModel that maps one tensor of images to one of logits."""
    signatures = loaded.signatures
    if "serving_default" not in signatures:
        raise UserError(f"model {path} has no signature serving_default")
    chosen = signatures["serving_default"]
    inputs = chosen.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(
            f"the signature serving_default of {path} takes {', '.join(inputs)}; one tensor of "
            "images is needed"
        )
    ((name, _),) = inputs.items()
    outputs = chosen.structured_outputs
    output = "logits" if "logits" in outputs else None
    if output is None and len(outputs) == 1:
        (output,) = outputs
    if output is None:
        raise UserError(
            f"the signature serving_default of {path} gives {', '.join(outputs)}; one output, or "
            "one called logits, is needed"
        )

    # The variables live no longer than what was loaded, so it is bound to the function.
    def logits(images: tf.Tensor, _loaded: Any = loaded) -> tf.Tensor:
        return chosen(**{name: images})[output]

    return logits
