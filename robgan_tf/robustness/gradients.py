"""What becomes of gradients on their way to an attack: zero ones, and those that are not finite."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.ball import flat
from robgan_tf.attacks.objectives import log_odds
from robgan_tf.errors import UserError
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.typing import LogitsFunction

# Of the gradients that attacks followed: with more of them not finite there is no figure.
MOST_NOT_FINITE = 0.05


@dataclasses.dataclass(frozen=True)
class GradientCounts:
    """Gradients that reached images through a classifier, one an image and call.

    Attributes:
      followed: how many there were.
      not_finite: how many of them had a value that is infinite or NaN.
    """

    followed: int = 0
    not_finite: int = 0

    def __add__(self, other: "GradientCounts") -> "GradientCounts":
        return GradientCounts(self.followed + other.followed, self.not_finite + other.not_finite)

    def __sub__(self, other: "GradientCounts") -> "GradientCounts":
        return GradientCounts(self.followed - other.followed, self.not_finite - other.not_finite)

    @property
    def warning(self) -> str | None:
        """One line where some were not finite, whatever their share; None where all were."""
        if not self.not_finite:
            return None
        return (
            f"{self.not_finite} of the {self.followed} gradients that the attacks followed are "
            "infinite or NaN and led nowhere: the accuracy is an upper bound"
        )

    def check(self, name: str, most: float = MOST_NOT_FINITE) -> None:
        """Raises UserError if too large a share of the gradients is not finite.

        Args:
          name: of the classifier, for the message.
          most: the largest share that is accepted.
        """
        if self.not_finite > most * self.followed:
            raise UserError(
                f"{name}: {self.not_finite} of the {self.followed} gradients that the attack "
                f"followed are infinite or NaN ({self.not_finite / self.followed:.1%}, at most "
                f"{most:.0%} is accepted): it attacked next to nothing, so no figure is given"
            )


class GradientCounter:
    """Counts the gradients that reach images, within compiled functions too.

    What is not finite in them is taken for zero: an attack that followed it would put NaN into
    images, or stand still, and its figure would look like any other.

    Attributes:
      elsewhere: int64 [3], what other processes have counted of the same evaluation.
    """

    def __init__(self) -> None:
        self.elsewhere = np.zeros(3, np.int64)
        self._counts = tf.Variable([0, 0], dtype=tf.int64, trainable=False, name="gradients")
        self._queries = tf.Variable(0, dtype=tf.int64, trainable=False, name="queries")

    @property
    def own(self) -> np.ndarray:
        """Gradients followed, those not finite, and queries of this process, int64 [3]."""
        return np.append(self._counts.numpy(), self._queries.numpy())

    @property
    def counts(self) -> GradientCounts:
        """Those of all calls so far."""
        return GradientCounts(*(self.own + self.elsewhere)[:2].tolist())

    @property
    def queries(self) -> int:
        """How often the logits of an image were asked for."""
        return int((self.own + self.elsewhere)[2])

    def counted(self, logits_fn: LogitsFunction) -> LogitsFunction:
        """Returns the same function of images [N, ...], whose calls and gradients are counted."""

        @tf.custom_gradient
        def watched(images: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            return tf.identity(images), self._count

        def asked(images: tf.Tensor) -> tf.Tensor:
            self._queries.assign_add(tf.shape(images, out_type=tf.int64)[0])
            return logits_fn(watched(images))

        return asked

    def _count(self, gradient: tf.Tensor) -> tf.Tensor:
        finite = tf.math.is_finite(gradient)
        wrong = tf.reduce_any(~flat(finite), axis=1)
        self._counts.assign_add(
            [
                tf.cast(tf.size(wrong), tf.int64),
                tf.math.count_nonzero(wrong),
            ]
        )
        return tf.where(finite, gradient, tf.zeros_like(gradient))


def shares_of_zero(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, batch_size: int
) -> tuple[float, float]:
    """Shares of images at which a gradient is exactly 0.

    Args:
      classifier: a Classifier.
      images: float32 [N, H, W, C] in [-1, 1].
      labels: int [N].
      batch_size: images at a time.

    Returns:
      (share for what attacks here climb, `objectives.log_odds`; share for cross-entropy itself).
    """
    zero = [
        [
            _is_zero(classifier.logits, objective, images[part], labels[part])
            for objective in (log_odds, class_loss)
        ]
        for part in (slice(i, i + batch_size) for i in range(0, len(images), batch_size))
    ]
    climbed, of_cross_entropy = (np.concatenate(shares) for shares in zip(*zero, strict=True))
    return float(climbed.mean()), float(of_cross_entropy.mean())


def _is_zero(
    logits_fn: LogitsFunction,
    objective: Callable[[tf.Tensor, np.ndarray], tf.Tensor],
    images: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    batch = tf.constant(images)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(batch)
        values = objective(logits_fn(batch), labels)
    gradient = tape.gradient(values, batch, unconnected_gradients="zero")
    return np.all(np.asarray(gradient).reshape(len(images), -1) == 0.0, axis=1)
