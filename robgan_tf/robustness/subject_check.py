"""What is refused before any attack: classifiers that no attack could be believed on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from robgan_tf.adapters.numpy_functions import user_errors
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.errors import UserError, first_line
from robgan_tf.robustness.steadiness import first_change
from robgan_tf.robustness.subjects import Classifier

_PROBE_IMAGES = 16
# How far sums of rows may be from 1 for values in [0, 1] to be taken for probabilities.
_PROBABILITY_TOLERANCE = 1e-3


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
        with user_errors():
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
        with user_errors():
            _check_steadiness(classifier, images)
    return values.shape[1]


def check_gradient(classifier: Classifier, images: np.ndarray, attacks: Sequence[Any]) -> bool:
    """Whether a classifier has a gradient, as these attacks may need.

    Args:
      classifier: a Classifier.
      images: [N, H, W, C] in [-1, 1]; the first is used.
      attacks: what it is attacked with.

    Returns:
      Whether it has one.

    Raises:
      UserError: if it has none and an attack needs it: that attack would find nothing, and the
        model would look robust.
    """
    differentiable = is_differentiable(classifier, images[:1])
    needy = sorted({attack.name for attack in attacks if not isinstance(attack, SquareSearch)})
    if needy and not differentiable:
        raise UserError(
            f"{classifier.name} cannot be differentiated, as {', '.join(needy)} of this protocol "
            "needs: write it in TensorFlow, give it an input_gradient, or take the protocol "
            "'square', which asks for logits only"
        )
    return differentiable


def is_differentiable(classifier: Classifier, images: np.ndarray) -> bool:
    """Whether TensorFlow finds a way from logits back to images [n, H, W, C]."""
    given = tf.constant(images)
    with user_errors(), tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(classifier.logits(given))
    with user_errors():
        return tape.gradient(total, given) is not None


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
