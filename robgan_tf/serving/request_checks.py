"""Checks within the exported graphs: a bad request gets INVALID_ARGUMENT, not a wrong answer.

Each returns the values it checked, to be used from there on: an assertion whose result nobody
waits for runs beside the operations that it is to guard, and their error may come first.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# More at once would let one request take the server's memory.
MOST_IMAGES = 1024


def checked_count(values: tf.Tensor) -> tf.Tensor:
    """Returns values, of which there must be a sensible number: 1 to `MOST_IMAGES`."""
    count = tf.shape(values)[0]
    return _once(
        [
            tf.debugging.assert_less_equal(
                count, MOST_IMAGES, f"at most {MOST_IMAGES} images in a request"
            ),
            tf.debugging.assert_positive(count, "a request needs at least one image"),
        ],
        values,
    )


def checked_shape(values: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """Returns values, which must have the rank and the fixed sizes of their signature.

    A server does not check them, and some operations would broadcast what does not fit.
    """
    return tf.ensure_shape(values, spec.shape)


def checked_labels(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns labels [N], which must be classes."""
    inside = tf.reduce_all((labels >= 0) & (labels < num_classes))
    message = [f"labels must be from 0 to {num_classes - 1}, not", labels]
    return _once([tf.debugging.Assert(inside, message)], labels)


def checked_length(values: tf.Tensor, labels: tf.Tensor, name: str) -> tf.Tensor:
    """Returns values, of which there must be as many as labels.

    Args:
      values: [M, ...].
      labels: [N].
      name: what the message calls the values.
    """
    same = tf.debugging.assert_equal(
        tf.shape(values)[0], tf.shape(labels)[0], f"{name} and labels must have the same length"
    )
    return _once([same], values)


def checked_finite(name: str, values: tf.Tensor) -> tf.Tensor:
    """Returns values, none of which may be infinite or NaN."""
    finite = tf.reduce_all(tf.math.is_finite(values))
    return _once([tf.debugging.Assert(finite, [f"{name} must not be infinite or NaN"])], values)


def checked_truncation(truncation: tf.Tensor) -> tf.Tensor:
    """Returns truncation [N], which must be positive."""
    message = ["truncation must be above 0, not", truncation]
    return _once([tf.debugging.Assert(tf.reduce_all(truncation > 0.0), message)], truncation)


def checked_images(images: tf.Tensor) -> tf.Tensor:
    """Returns float images, which must lie in [-1, 1]; NaN does not."""
    inside = tf.reduce_all(tf.abs(images) <= 1.0 + 1e-6)
    message = "images must be finite and in [-1, 1]; for bytes of [0, 255] use the uint8 signature"
    return _once([tf.debugging.Assert(inside, [message])], images)


def checked_pixels(images: tf.Tensor) -> tf.Tensor:
    """Returns images [N, H, W, C], which must have height and width."""
    message = "an image without pixels"
    return _once([tf.debugging.assert_positive(tf.shape(images)[1:3], message)], images)


def _once(assertions: Sequence[Any], values: tf.Tensor) -> tf.Tensor:
    """Values that are computed only once the assertions hold."""
    with tf.control_dependencies(assertions):
        return tf.identity(values)
