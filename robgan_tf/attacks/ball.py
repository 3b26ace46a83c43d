"""Where attacks may go: the box of pixel values, and balls whose radius makes sense."""

import numpy as np
import tensorflow as tf

from robgan_tf.choices import NORMS

IMAGE_MINIMUM, IMAGE_MAXIMUM = -1.0, 1.0
_SLACK = 1e-5  # of pixels that were computed


def clip_to_box(images: tf.Tensor) -> tf.Tensor:
    """Returns the nearest images in [-1, 1]."""
    return tf.clip_by_value(images, IMAGE_MINIMUM, IMAGE_MAXIMUM)


def per_sample(values: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Reshapes values [N] so that they broadcast with images [N, ...]."""
    return tf.reshape(values, [-1] + [1] * (len(images.shape) - 1))


def check_ball(owner: str, epsilon: float, norm: str) -> None:
    """Raises ValueError unless a norm exists and a radius makes sense in it.

    Args:
      owner: name of the attack, for the message.
      epsilon: radius on images in [-1, 1].
      norm: name of the norm.
    """
    if norm not in NORMS:
        raise ValueError(f"{owner}.norm {NORMS.unknown(norm)}")
    check_not_negative(owner, epsilon=epsilon)
    largest = NORMS.get(norm).largest_epsilon
    if largest is not None and epsilon > largest:
        raise ValueError(
            f"{owner}.epsilon = {epsilon} is above {largest:g}, the whole range of images in "
            "[-1, 1]; 8/255 of the [0, 1] scale is 0.0627 on this one"
        )


def check_images(owner: str, images: tf.Tensor) -> None:
    """Raises ValueError unless images are floats in [-1, 1]; of a graph's the type alone is known.

    An attack would clip others into the range, and measure a model on images it never saw.

    Args:
      owner: name of the attack, for the message.
      images: [N, ...].
    """
    if not images.dtype.is_floating:
        raise ValueError(
            f"{owner} needs images that are floats in [-1, 1], not {images.dtype.name}: "
            "p / 127.5 - 1 of bytes p"
        )
    if not tf.executing_eagerly() or not tf.size(images):
        return
    lowest, highest = float(tf.reduce_min(images)), float(tf.reduce_max(images))
    if not IMAGE_MINIMUM - _SLACK <= lowest <= highest <= IMAGE_MAXIMUM + _SLACK:
        raise ValueError(
            f"{owner} needs images in [-1, 1], and these are from {lowest:g} to {highest:g}: give "
            "p / 127.5 - 1 of levels p from 0 to 255, or 2 * x - 1 of x from 0 to 1"
        )


def check_not_negative(owner: str, **numbers: float) -> None:
    """Raises ValueError if one of an attack's numbers is negative, naming it."""
    for name, value in numbers.items():
        if value < 0:
            raise ValueError(f"{owner}.{name} must not be negative, got {value}")


def in_dtype(number: float | tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns a number as a tensor; Python's is not rounded to float32 on the way to float64."""
    return tf.cast(tf.convert_to_tensor(number, dtype_hint=dtype), dtype)


def flat(images: tf.Tensor) -> tf.Tensor:
    """Reshapes images [N, ...] to [N, values]."""
    return tf.reshape(images, [tf.shape(images)[0], -1])


def of_largest_one(gradient: tf.Tensor) -> tf.Tensor:
    """Divides each sample by its largest absolute value; zero where all are.

    The direction stays. Whatever the scale of the gradient, squares and sums of what is returned
    neither vanish nor overflow.

    Args:
      gradient: [N, ...].
    """
    largest = tf.reduce_max(tf.abs(flat(gradient)), axis=1)
    smallest_normal = np.finfo(gradient.dtype.as_numpy_dtype).tiny
    return gradient / per_sample(tf.maximum(largest, smallest_normal), gradient)
