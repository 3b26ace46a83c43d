"""Accuracy under attack of any classifier, as one call."""

import dataclasses
import os
import warnings
from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from robgan_tf.adapters.numpy_functions import LogitsOfArrays, user_errors
from robgan_tf.attacks.protocol import make_attacks, title
from robgan_tf.choices import PROTOCOLS
from robgan_tf.errors import UserError, first_line
from robgan_tf.library.images import as_floats, as_labels
from robgan_tf.library.run import Run
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.input_range import range_warning
from robgan_tf.robustness.outcome import Outcome, confidence_interval
from robgan_tf.robustness.own_gradient import gradient_warning
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.robustness.soundness import keep_sound
from robgan_tf.robustness.subject_check import check_classifier, check_gradient
from robgan_tf.robustness.subject_files import open_classifier
from robgan_tf.robustness.subjects import (
    Classifier,
    discriminator_classifier,
    foreign_classifier,
)
from robgan_tf.typing import PathLike
from robgan_tf.units import format_radius, parse_radius

Subject: TypeAlias = (
    Run | keras.Model | LogitsOfArrays | PathLike | Callable[[tf.Tensor], tf.Tensor]
)


@dataclasses.dataclass(frozen=True)
class RobustAccuracy:
    """What attacks of one radius did to N images.

    Attributes:
      clean: share of the images that are classified correctly as they are, in [0, 1].
      robust: share that is classified correctly as they are and under every attack.
      clean_interval: 95 % Wilson interval of `clean`, (low, high).
      interval: the same of `robust`.
      epsilon: the radius, on [-1, 1].
      norm: "linf", "l2" or "l1".
      protocol: name of the protocol, or what its results are called where a part of it was
        replaced or left out.
      predictions: int [N], predicted classes of the images as they are.
      fooled_by: str [N]: the first attack that succeeded, "clean" where the image is misclassified
        as it is, "" where all attacks failed.
      survived: bool [N]: whether the image counts for `robust`.
      adversarial: float32 [N, H, W, C]: the adversarial image that succeeded, else the last tried.
    """

    clean: float
    robust: float
    clean_interval: tuple[float, float]
    interval: tuple[float, float]
    epsilon: float
    norm: str
    protocol: str
    predictions: np.ndarray
    fooled_by: np.ndarray
    survived: np.ndarray
    adversarial: np.ndarray

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.clean:.1%} clean, {self.robust:.1%} ({low:.1%} to {high:.1%}) of "
            f"{len(self.survived)} images under {self.protocol!r} of radius "
            f"{format_radius(self.epsilon, self.norm)}"
        )


def robust_accuracy(
    model_or_run: Subject,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    epsilon: float | str,
    norm: str = "linf",
    protocol: str = "published",
    batch_size: int = 100,
    seed: int = 0,
    input_range: InputRange | None = None,
) -> RobustAccuracy:
    """Measures the accuracy of a classifier under attack, as `evaluate robustness` does.

    Every result is checked again without trusting the attack: radius, range, predictions. A
    warning says where the model is likely to expect its pixels in another range, or images seem to
    be on [0, 1].

    Args:
      model_or_run: a Run; a Keras model that gives logits [N, K], or a pair of which they are the
        second, as the models here do; a function from images [N, H, W, C] in [-1, 1] to logits,
        differentiable by TensorFlow; an object with logits(images) and input_gradient(images,
        upstream) of numpy arrays (`adapters.numpy_functions.ClassifierOfArrays`), such as
        `adapters.pytorch.PyTorchClassifier`; one with logits alone, for the protocol "square"; or
        what `evaluate robustness --model` takes: the path of a model, or "FILE.py:FUNCTION".
      images: [N, H, W, C] floats in [-1, 1], or uint8 pixels.
      labels: [N] integers.
      epsilon: radius on [-1, 1], or text such as "8/255" of the [0, 1] scale.
      norm: "linf", "l2" or "l1".
      protocol: name of a protocol: "published" (the paper's PGD-20), "autoattack", "fgsm", ...; a
        model that answers by chance is taken by "autoattack-rand" alone.
      batch_size: images attacked at a time; changes no result.
      seed: of all random numbers.
      input_range: the range of pixels that the model wants, of which it then gets them; images and
        radius stay on [-1, 1].

    Returns:
      A RobustAccuracy.

    Raises:
      UserError: if something given cannot be used, such as a model that gives probabilities.
      VerificationError: if a result does not stand up to recomputation. Of several attacks, those
        that leave ball or range are left out with a warning instead.
    """
    floats, classes = as_floats(images), as_labels(labels)
    if len(floats) != len(classes) or not len(floats):
        raise UserError(f"{len(floats)} images and {len(classes)} labels were given")
    radius = _radius(epsilon)
    protocol = PROTOCOLS.canonical(protocol)
    with user_errors():
        classifier = _classifier(model_or_run, input_range)
        return _measured(classifier, floats, classes, radius, norm, protocol, batch_size, seed)


def _measured(
    classifier: Classifier,
    floats: np.ndarray,
    classes: np.ndarray,
    radius: float,
    norm: str,
    protocol: str,
    batch_size: int,
    seed: int,
) -> RobustAccuracy:
    of_data = int(classes.max()) + 1
    kind = PROTOCOLS.get(protocol)
    num_classes = check_classifier(classifier, floats, of_data, randomised=kind.randomised)
    attacks = make_attacks(protocol, radius, norm, num_classes)
    check_gradient(classifier, floats, attacks)
    replaced = kind.replaced(num_classes)
    for line in (
        _unit_warning(floats),
        range_warning(classifier, floats, classes, of_data),
        gradient_warning(classifier, floats),
        *replaced,
    ):
        if line is not None:
            warnings.warn(line, stacklevel=3)
    outcome = _outcome(classifier, attacks, floats, classes, batch_size, seed)
    outcome, _, left_out = keep_sound(
        classifier, floats, classes, outcome, attacks, radius, norm, batch_size, kind.randomised
    )
    for line in left_out:
        warnings.warn(line, stacklevel=3)
    survived, clean = outcome.survived, outcome.clean_correct
    correct, withstood = float(clean.mean()), float(survived.mean())
    return RobustAccuracy(
        clean=correct,
        robust=withstood,
        clean_interval=confidence_interval(correct, len(floats)),
        interval=confidence_interval(withstood, len(floats)),
        epsilon=radius,
        norm=norm,
        protocol=title(protocol, not replaced and not left_out),
        predictions=outcome.predictions,
        fooled_by=outcome.fooled_by,
        survived=survived,
        adversarial=outcome.adversarial,
    )


def _unit_warning(images: np.ndarray) -> str | None:
    if images.min() < 0.0:
        return None
    return (
        "no pixel of these images is negative: are they on [0, 1]? Images are wanted on [-1, 1], "
        "which is twice as wide, and the radius is one of that scale"
    )


def _radius(epsilon: float | str) -> float:
    try:
        radius = parse_radius(str(epsilon))
    except ValueError as error:
        raise UserError(f"epsilon: {error}") from error
    if not radius:
        raise UserError("epsilon must be above 0: at 0 there is nothing to attack with")
    return radius


def _classifier(subject: Subject, input_range: InputRange | None) -> Classifier:
    if isinstance(subject, Run):
        if input_range is not None:
            raise UserError("input_range is of other models, and a run has its own")
        return discriminator_classifier(subject.classifier, subject.path, subject.identity)
    if isinstance(subject, str | os.PathLike):
        return open_classifier(subject, input_range or InputRange())
    name = str(getattr(subject, "name", None) or getattr(subject, "__name__", "the model"))
    # A network of this package, whose spectral normalization is computed once a call.
    if hasattr(subject, "class_head") and input_range is None:
        return discriminator_classifier(subject, name, name)
    return foreign_classifier(subject, name, name, input_range)


def _outcome(
    classifier: Classifier,
    attacks: list,
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    seed: int,
) -> Outcome:
    compiled = CompiledClassifier(classifier, images.shape[1:])
    evaluation = RobustnessEvaluation(compiled, attacks, batch_size, seed)
    try:
        outcome = evaluation.run(images, labels)
    except NotImplementedError as error:
        raise UserError(
            f"{classifier.name} is no function of TensorFlow tensors: {first_line(error)}"
        ) from error
    if evaluation.gradients.warning is not None:
        warnings.warn(evaluation.gradients.warning, stacklevel=4)
    return outcome
