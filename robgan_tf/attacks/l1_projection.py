"""The nearest point of an L1 ball, and of what a box leaves of it."""

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.ball import IMAGE_MAXIMUM, flat, in_dtype

# A threshold is found in some 5 to 10 rounds. Where Newton's method has not found it by then, the
# bracket is halved, down to what floats can tell apart.
_NEWTON_ROUNDS, _MOST_ROUNDS = 20, 80
# How far from the radius the thresholded values may add up to, in units of the last place.
_TOLERANCE = 32.0


def project_on_ball(perturbation: tf.Tensor, epsilon: float | tf.Tensor) -> tf.Tensor:
    """Returns the nearest perturbation whose absolute values add up to at most epsilon.

    All values are brought nearer to zero by the same, and none beyond it (Duchi et al., ICML
    2008). What is in the ball stays as it is.

    Args:
      perturbation: [N, ...].
      epsilon: radius.
    """
    return _project(perturbation, tf.fill([1, 1], tf.constant(np.inf, perturbation.dtype)), epsilon)


def project_on_ball_and_box(
    images: tf.Tensor, attacked: tf.Tensor, epsilon: float | tf.Tensor
) -> tf.Tensor:
    """Returns the nearest images in both the L1 ball around the originals and [-1, 1].

    Clipping the projection on the ball would not do: it leaves unused what it takes from values
    that the box stops (Croce and Hein, ICML 2021, proposition 2.1). The nearest point brings all
    values nearer to the original's by the same, and then into the box.

    Args:
      images: [N, ...] the originals, in [-1, 1].
      attacked: [N, ...].
      epsilon: radius.
    """
    perturbation = attacked - images
    # How far each value can go the way it goes; rounding may have put an image beyond the edge.
    room = tf.nn.relu(IMAGE_MAXIMUM - tf.sign(perturbation) * images)
    projected = _project(perturbation, flat(room), epsilon)
    return tf.clip_by_value(images + projected, -IMAGE_MAXIMUM, IMAGE_MAXIMUM)


def _project(perturbation: tf.Tensor, room: tf.Tensor, epsilon: float | tf.Tensor) -> tf.Tensor:
    epsilon = in_dtype(epsilon, perturbation.dtype)
    sizes = tf.abs(flat(perturbation))
    kept = _left(sizes, room, _threshold(sizes, room, epsilon))
    # The threshold is as exact as its sums are; the edge of the ball is not passed.
    total = tf.cast(tf.reduce_sum(tf.cast(kept, tf.float64), axis=1), kept.dtype)
    tiny = np.finfo(kept.dtype.as_numpy_dtype).tiny
    kept *= tf.minimum(epsilon / tf.maximum(total, tiny), 1.0)[:, None]
    return tf.sign(perturbation) * tf.reshape(kept, tf.shape(perturbation))


def _left(sizes: tf.Tensor, room: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Returns what is left of sizes [N, d] brought down by thresholds [N] and into their room."""
    return tf.minimum(tf.nn.relu(sizes - threshold[:, None]), room)


def _threshold(sizes: tf.Tensor, room: tf.Tensor, epsilon: tf.Tensor) -> tf.Tensor:
    """Returns the least threshold of each sample that leaves a sum of at most epsilon, [N].

    The sum falls with the threshold, in straight pieces. Newton's method is exact on the piece
    where the solution is; where it leads out of the bracket, which it may where the room binds,
    the bracket is halved. A sample that has arrived changes no more, so that none depends on the
    others of its batch.

    Args:
      sizes: [N, d], at least 0.
      room: [N, d] or [1, 1], at least 0.
      epsilon: scalar.
    """
    allowed = _TOLERANCE * np.finfo(sizes.dtype.as_numpy_dtype).eps * epsilon

    def improve(
        number: tf.Tensor, at: tf.Tensor, low: tf.Tensor, high: tf.Tensor, _: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        left = _left(sizes, room, at)
        excess = tf.reduce_sum(left, axis=1) - epsilon
        low, high = tf.where(excess > 0.0, at, low), tf.where(excess > 0.0, high, at)
        slope = tf.math.count_nonzero((left > 0.0) & (left < room), axis=1, dtype=at.dtype)
        newton = at + excess / slope
        halves = (number >= _NEWTON_ROUNDS) | ~((low < newton) & (newton < high))
        following = tf.where(halves, (low + high) / 2.0, newton)
        arrived = (tf.abs(excess) <= allowed) | ((excess <= 0.0) & (at == 0.0))
        arrived |= (newton == at) | (following == at)
        return number + 1, tf.where(arrived, at, following), low, high, arrived

    start = tf.zeros_like(sizes[:, 0])
    _, threshold, *_ = tf.while_loop(
        lambda number, at, low, high, arrived: tf.reduce_any(~arrived),
        improve,
        (0, start, start, tf.reduce_max(sizes, axis=1), tf.zeros_like(start, tf.bool)),
        maximum_iterations=_MOST_ROUNDS,
    )
    return threshold
