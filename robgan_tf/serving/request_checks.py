"""Checks within the exported graphs: a bad request gets INVALID_ARGUMENT, not a wrong answer."""

import tensorflow as tf

# More at once would let one request take the server's memory.
MOST_IMAGES = 1024


def check_count(values):
    """Asserts that a request asks for a sensible number of images: 1 to `MOST_IMAGES`."""
    count = tf.shape(values)[0]
    tf.debugging.assert_less_equal(count, MOST_IMAGES, f"at most {MOST_IMAGES} images in a request")
    tf.debugging.assert_positive(count, "a request needs at least one image")


def checked_shape(values, spec):
    """Returns values, which must have the rank and the fixed sizes of their signature.

    A server does not check them, and some operations would broadcast what does not fit.
    """
    return tf.ensure_shape(values, spec.shape)


def check_labels(labels, num_classes):
    """Asserts that labels [N] are classes."""
    inside = (labels >= 0) & (labels < num_classes)
    tf.debugging.Assert(
        tf.reduce_all(inside), [f"labels must be from 0 to {num_classes - 1}, not", labels]
    )


def check_same_length(**values):
    """Asserts that all values have as many entries as the first."""
    (first, one), *others = values.items()
    for name, other in others:
        tf.debugging.assert_equal(
            tf.shape(other)[0], tf.shape(one)[0], f"{name} and {first} must have the same length"
        )


def check_finite(name, values):
    """Asserts that no value is infinite or NaN."""
    tf.debugging.Assert(
        tf.reduce_all(tf.math.is_finite(values)), [f"{name} must not be infinite or NaN"]
    )


def check_images(images):
    """Asserts that float images lie in [-1, 1]; NaN does not."""
    inside = tf.reduce_all(tf.abs(images) <= 1.0 + 1e-6)
    tf.debugging.Assert(
        inside,
        ["images must be finite and in [-1, 1]; for bytes of [0, 255] use the uint8 signature"],
    )
