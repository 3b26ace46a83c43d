"""Is a gradient that was written by hand that of the logits? Asked of finite differences."""

import numpy as np
import tensorflow as tf

from robgan_tf.adapters.numpy_functions import user_errors
from robgan_tf.errors import UserError
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.typing import LogitsFunction

_IMAGES, _DIRECTIONS = 8, 4
# Half the difference of pixels, on [-1, 1]: small where a network bends, large where it rounds.
_STEPS = (0.03, 0.01, 0.003, 0.001)
# Relative to the changes that were measured. Honest networks were measured at 0.2 % to 1 %.
MOST_WRONG = 0.1


def gradient_warning(classifier: Classifier, images: np.ndarray) -> str | None:
    """Compares a gradient that was written by hand with differences of logits.

    Along random directions d of pixels, (f(x + hd) - f(x - hd)) / 2h of a random combination f of
    logits is compared with the gradient's d . grad f(x), for several h, of which the best counts.

    Args:
      classifier: a Classifier.
      images: float32 [N, H, W, C] in [-1, 1]; the first few are used.

    Returns:
      One line where they disagree; None where they agree, or the gradient is derived from the
      logits.

    Raises:
      UserError: if the gradient is infinite or NaN.
    """
    if not classifier.own_gradient:
        return None
    with user_errors():
        error = relative_error(classifier.logits, images, classifier.name)
    if error <= MOST_WRONG:
        return None
    return (
        f"the gradient of {classifier.name} is not that of its logits: it is wrong by {error:.1%} "
        f"of what differences of logits show, and up to {MOST_WRONG:.0%} is rounding. Attacks that "
        "follow it may find little, and the accuracy is an upper bound"
    )


def relative_error(logits_fn: LogitsFunction, images: np.ndarray, name: str = "the model") -> float:
    """The error of derivatives along random directions, relative to those that were measured.

    Args:
      logits_fn: function from images to logits.
      images: float32 [N, H, W, C] in [-1, 1].
      name: of the classifier, for messages.
    """
    # Room for the steps within [-1, 1].
    images = np.clip(images[:_IMAGES], -1.0 + _STEPS[0], 1.0 - _STEPS[0])
    random = np.random.default_rng(0)
    given = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(given)
        logits = logits_fn(given)
        upstream = random.normal(size=logits.shape).astype(np.float32)
        total = tf.reduce_sum(logits * upstream)
    gradient = np.asarray(tape.gradient(total, given), np.float64)
    if not np.isfinite(gradient).all():
        raise UserError(f"{name}: input_gradient gives infinite or NaN gradients on clean images")

    def combined(changed: np.ndarray) -> np.ndarray:
        found = np.asarray(logits_fn(tf.constant(changed, tf.float32)), np.float64)
        return np.sum(found * upstream, axis=1)

    directions = random.choice([-1.0, 1.0], [_DIRECTIONS, *images.shape])
    expected = np.stack([np.sum(gradient * d, axis=(1, 2, 3)) for d in directions])
    errors = []
    for step in _STEPS:
        ends = [(combined(images + step * d), combined(images - step * d)) for d in directions]
        measured = np.stack([(one - other) / (2.0 * step) for one, other in ends])
        size = np.sqrt(np.mean(measured**2)) or np.finfo(float).tiny
        errors.append(float(np.sqrt(np.mean((measured - expected) ** 2)) / size))
    return min(errors)
