"""The flags that AutoAttack's reference code raises, as rows of a masking report.

Its `checks.py` asks whether a model answers by chance, ends in a softmax, has gradients (which
`gradients` answers), is fooled by Square alone, and optimises something at inference time. The last
is answered only as far as the model's program can be seen.
"""

import contextlib
import sys
from collections.abc import Iterator
from types import FrameType

import numpy as np
import tensorflow as tf

from robgan_tf.robustness.signs import Check
from robgan_tf.robustness.subjects import Classifier

CALLS = 5
DIFFERENT_LOGITS = 1e-4
PROBABILITIES = 1e-5
MOST_BY_SQUARE = 0.002
# Functions of TensorFlow and PyTorch that take gradients.
_TAKE_GRADIENTS = {"gradient", "gradients", "jacobian", "batch_jacobian", "backward", "grad"}
_FRAMEWORKS = ("tensorflow", "torch")


def same_logits(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> Check:
    """Whether five calls agree: in how many are right, and in logits scaled to length 1."""
    calls = [np.asarray(classifier.logits(tf.constant(images))) for _ in range(CALLS)]
    right = {int(np.sum(np.argmax(logits, axis=1) == labels)) for logits in calls}
    directions = [logits / (np.linalg.norm(logits, axis=1)[:, None] + 1e-10) for logits in calls]
    difference = max(
        float(np.linalg.norm(one - other, axis=1).max())
        for place, one in enumerate(directions)
        for other in directions[place + 1 :]
    )
    return Check(
        "the same image gives the same logits",
        len(right) == 1 and difference < DIFFERENT_LOGITS,
        f"{CALLS} calls differ by {difference:.1e} of the length of the logits, and "
        f"{'' if len(right) == 1 else 'not '}all are right as often; allowed up to "
        f"{DIFFERENT_LOGITS:.0e}",
    )


def gives_logits(classifier: Classifier, images: np.ndarray) -> Check:
    """Whether the last layer is no softmax."""
    values = np.asarray(classifier.logits(tf.constant(images)))
    from_one = float(np.abs(values.sum(axis=1) - 1.0).max())
    is_softmax = (
        values.min() > -PROBABILITIES
        and values.max() < 1.0 + PROBABILITIES
        and from_one < PROBABILITIES
    )
    return Check(
        "outputs are logits and no probabilities",
        not is_softmax,
        f"from {values.min():.3g} to {values.max():.3g}, sums up to {from_one:.1e} from 1; allowed "
        f"up to no softmax, which is between 0 and 1 with sums within {PROBABILITIES:.0e} of 1",
    )


def little_by_square(share: float) -> Check:
    """Whether Square fooled few images that all attacks with gradients before it had left.

    Args:
      share: of all images that were evaluated.
    """
    return Check(
        "Square finds next to nothing that the attacks before it have left",
        share <= MOST_BY_SQUARE,
        f"{share:.2%} of all images; allowed up to {MOST_BY_SQUARE:.1%}",
    )


def takes_no_gradient(classifier: Classifier, images: np.ndarray) -> Check:
    """Whether no gradient is taken while logits are computed, by what runs in Python."""
    with _calls_of(_TAKE_GRADIENTS) as found:
        classifier.logits(tf.constant(images))
    times = len(found)
    return Check(
        "nothing is optimised at inference time",
        not times,
        f"{times} calls for a gradient while logits were computed, as far as they are Python (what "
        "a SavedModel does is compiled, and not seen); allowed up to 0",
    )


@contextlib.contextmanager
def _calls_of(names: set[str]) -> Iterator[list[str]]:
    """Lists the calls of functions of these names that the frameworks define."""
    found: list[str] = []

    def look(frame: FrameType, event: str, argument: object) -> None:
        del argument
        code = frame.f_code
        of_framework = any(framework in code.co_filename for framework in _FRAMEWORKS)
        if event == "call" and code.co_name in names and of_framework:
            found.append(code.co_name)

    eager, before = tf.config.functions_run_eagerly(), sys.getprofile()
    # What tf.function has compiled is run as the program that it was made of.
    tf.config.run_functions_eagerly(True)
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(before)
        tf.config.run_functions_eagerly(eager)
