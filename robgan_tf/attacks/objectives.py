"""What an attack on a classifier maximises: per-sample functions of logits, larger is worse.

None looks at probabilities: a softmax that has saturated has no gradient left. Attacks compare
values and follow the direction of gradients, so that each objective stands for all functions that
rise with it.
"""

from collections.abc import Callable, Iterable

import tensorflow as tf

# Keeps the ratios of DLR finite where the largest logits are equal, as a share of the range of all
# logits: with the 1e-12 of Croce and Hein themselves DLR would depend on the scale of the logits.
_SMALLEST_SPREAD = 1e-12


def log_odds(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Log-odds against the label: log sum over the other classes of exp(logit), minus its logit.

    Cross-entropy is log(1 + exp(log-odds)), so it rises with them and its gradient has the same
    direction. In float32 the gradient of cross-entropy itself is zero where the label's
    probability is 1 but for 1e-38, and lacks the label's part where it is 1 but for 1e-8, so that
    an attack on a confident model would go astray or stand still. This one does neither.

    Args:
      logits: [N, K], at least 2 classes.
      labels: [N].

    Returns:
      [N].
    """
    own = logit_of(logits, labels)
    return tf.reduce_logsumexp(_others(logits, labels), axis=1) - own


def margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Largest logit of another class minus that of the label: positive where fooled.

    Args:
      logits: [N, K], at least 2 classes.
      labels: [N].

    Returns:
      [N].
    """
    own = logit_of(logits, labels)
    return tf.reduce_max(_others(logits, labels), axis=1) - own


def dlr(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Difference of logits ratio: the margin over the spread of the three largest logits.

    Unchanged when logits are shifted or scaled (Croce and Hein, ICML 2020, equation (6)).

    Args:
      logits: [N, K], at least 3 classes.
      labels: [N].

    Returns:
      [N].
    """
    largest = tf.math.top_k(logits, 3).values
    return margin(logits, labels) / _not_zero(largest[:, 0] - largest[:, 2], logits)


def targeted_dlr(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """DLR towards one class each (Croce and Hein, equation (7)).

    Args:
      logits: [N, K], at least 4 classes.
      labels: [N].
      targets: [N] classes to be taken for.

    Returns:
      [N].
    """
    largest = tf.math.top_k(logits, 4).values
    spread = largest[:, 0] - (largest[:, 2] + largest[:, 3]) / 2.0
    towards = logit_of(logits, targets)
    own = logit_of(logits, labels)
    return (towards - own) / _not_zero(spread, logits)


# Functions of logits, labels and, for targeted ones, targets.
OBJECTIVES: dict[str, Callable[..., tf.Tensor]] = {
    "cross_entropy": log_odds,
    "margin": margin,
    "dlr": dlr,
    "targeted_dlr": targeted_dlr,
}
FEWEST_CLASSES = {"cross_entropy": 2, "margin": 2, "dlr": 3, "targeted_dlr": 4}


def check_objective(owner: str, objective: str, choices: Iterable[str]) -> None:
    """Raises ValueError unless an attack's objective is one of its choices.

    Args:
      owner: name of the attack, for the message.
      objective: its name.
      choices: the names that the attack takes.
    """
    if objective not in choices:
        raise ValueError(
            f"{owner}.objective {objective!r} does not exist; choose one of {', '.join(choices)}"
        )


def check_classes(owner: str, objective: str, logits: tf.Tensor) -> int:
    """Checks that logits [N, K] have enough classes for an objective.

    Args:
      owner: name of the attack, for the message.
      objective: a name in `OBJECTIVES`.
      logits: [N, K].

    Returns:
      K.

    Raises:
      ValueError: if they have too few, or their number is not known.
    """
    classes, fewest = logits.shape[-1], FEWEST_CLASSES[objective]
    if classes is None or classes < fewest:
        raise ValueError(
            f"{owner}.objective {objective!r} needs logits with a known number of classes of at "
            f"least {fewest}, got {classes}"
        )
    return classes


def is_fooled(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Whether the predicted class is not the label, [N]; no class is predicted from NaN."""
    wrong = tf.argmax(logits, axis=1, output_type=labels.dtype) != labels
    return wrong | tf.reduce_any(tf.math.is_nan(logits), axis=1)


def target_classes(logits: tf.Tensor, labels: tf.Tensor, rank: int | tf.Tensor) -> tf.Tensor:
    """The class with the `rank`-th largest logit among those that are not the label.

    Args:
      logits: [N, K] on the clean images.
      labels: [N].
      rank: 0 for the most likely wrong class, at most K - 2; an integer or a scalar tensor.

    Returns:
      [N] classes.
    """
    others = _others(logits, labels)
    order = tf.argsort(others, axis=1, direction="DESCENDING", stable=True)
    return tf.cast(order[:, rank], labels.dtype)


def logit_of(logits: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """The logits [N, K] of one class each, [N]."""
    return tf.gather(logits, classes, axis=1, batch_dims=1)


def _others(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The logits with minus infinity in the place of the label's."""
    is_label = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False)
    return tf.where(is_label, tf.constant(-float("inf"), logits.dtype), logits)


def _not_zero(spread: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """A spread of logits [N] that can be divided by, whatever the scale of the logits."""
    extent = tf.stop_gradient(tf.reduce_max(logits, axis=1) - tf.reduce_min(logits, axis=1))
    return spread + tf.where(extent > 0.0, _SMALLEST_SPREAD * extent, 1.0)
