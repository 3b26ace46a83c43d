"""Where attacks may go: balls in a norm, the box of pixel values, and steps and starts in them.

Images are [N, ...]; a norm is taken over all axes but the first.
"""

import tensorflow as tf

IMAGE_MINIMUM, IMAGE_MAXIMUM = -1.0, 1.0
# No perturbation between two images in [-1, 1] is larger than this in the L-infinity norm.
LARGEST_LINF_EPSILON = IMAGE_MAXIMUM - IMAGE_MINIMUM
_SMALLEST_NORM = 1e-12


class LInfinity:
    """The largest absolute change of any pixel value."""

    name = "linf"

    @staticmethod
    def norm(perturbation):
        """Returns the norm of each sample, [N]."""
        return tf.reduce_max(tf.abs(_flat(perturbation)), axis=1)

    @staticmethod
    def ascent(gradient):
        """Returns the unit step of steepest ascent: the sign of the gradient."""
        return tf.sign(gradient)

    @staticmethod
    def project(perturbation, epsilon):
        """Returns the nearest perturbation within the ball of radius epsilon."""
        return tf.clip_by_value(perturbation, -epsilon, epsilon)

    @staticmethod
    def random(shape, epsilon, seed, dtype):
        """Returns one sample's perturbation, uniform in the ball; `seed` is int [2]."""
        return epsilon * tf.random.stateless_uniform(shape, seed, -1.0, 1.0, dtype)


class L2:
    """The Euclidean length of the change of an image."""

    name = "l2"

    @staticmethod
    def norm(perturbation):
        """Returns the norm of each sample, [N]."""
        return tf.norm(_flat(perturbation), axis=1)

    @staticmethod
    def ascent(gradient):
        """Returns the gradient scaled to length 1 per sample (zero where it is zero)."""
        return gradient / tf.maximum(per_sample(L2.norm(gradient), gradient), _SMALLEST_NORM)

    @staticmethod
    def project(perturbation, epsilon):
        """Returns the nearest perturbation within the ball of radius epsilon."""
        length = tf.maximum(L2.norm(perturbation), _SMALLEST_NORM)
        return perturbation * per_sample(tf.minimum(epsilon / length, 1.0), perturbation)

    @staticmethod
    def random(shape, epsilon, seed, dtype):
        """Returns one sample's perturbation, uniform in the ball; `seed` is int [2]."""
        direction_seed, radius_seed = tf.unstack(tf.random.split(seed))
        direction = tf.random.stateless_normal(shape, direction_seed, dtype=dtype)
        dimensions = tf.cast(tf.reduce_prod(shape), dtype)
        radius = tf.random.stateless_uniform([], radius_seed, dtype=dtype) ** (1.0 / dimensions)
        return epsilon * radius * direction / tf.norm(direction)


NORMS = {norm.name: norm for norm in (LInfinity, L2)}


def clip_to_box(images):
    """Returns the nearest images in [-1, 1]."""
    return tf.clip_by_value(images, IMAGE_MINIMUM, IMAGE_MAXIMUM)


def per_sample(values, images):
    """Reshapes values [N] so that they broadcast with images [N, ...]."""
    return tf.reshape(values, [-1] + [1] * (len(images.shape) - 1))


def check_ball(owner, epsilon, norm):
    """Raises ValueError unless a norm exists and a radius makes sense in it.

    Args:
      owner: name of the attack, for the message.
      epsilon: radius on images in [-1, 1].
      norm: "linf" or "l2".
    """
    if norm not in NORMS:
        raise ValueError(f"{owner}.norm {norm!r} does not exist; choose one of {', '.join(NORMS)}")
    check_not_negative(owner, epsilon=epsilon)
    if norm == "linf" and epsilon > LARGEST_LINF_EPSILON:
        raise ValueError(
            f"{owner}.epsilon = {epsilon} is above 2, the whole range of images in [-1, 1]; "
            "8/255 of the [0, 1] scale is 0.0627 on this one"
        )


def check_not_negative(owner, **numbers):
    """Raises ValueError if one of an attack's numbers is negative, naming it."""
    for name, value in numbers.items():
        if value < 0:
            raise ValueError(f"{owner}.{name} must not be negative, got {value}")


def _flat(images):
    return tf.reshape(images, [tf.shape(images)[0], -1])
