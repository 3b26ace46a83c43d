"""Norms of a perturbation: steps of steepest ascent, projections on the ball, random starts.

Images are [N, ...]; a norm is taken over all axes but the first.
"""

import tensorflow as tf

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
        return gradient / tf.maximum(_per_sample(L2.norm(gradient), gradient), _SMALLEST_NORM)

    @staticmethod
    def project(perturbation, epsilon):
        """Returns the nearest perturbation within the ball of radius epsilon."""
        length = tf.maximum(L2.norm(perturbation), _SMALLEST_NORM)
        return perturbation * _per_sample(tf.minimum(epsilon / length, 1.0), perturbation)

    @staticmethod
    def random(shape, epsilon, seed, dtype):
        """Returns one sample's perturbation, uniform in the ball; `seed` is int [2]."""
        direction_seed, radius_seed = tf.unstack(tf.random.split(seed))
        direction = tf.random.stateless_normal(shape, direction_seed, dtype=dtype)
        dimensions = tf.cast(tf.reduce_prod(shape), dtype)
        radius = tf.random.stateless_uniform([], radius_seed, dtype=dtype) ** (1.0 / dimensions)
        return epsilon * radius * direction / tf.norm(direction)


NORMS = {norm.name: norm for norm in (LInfinity, L2)}


def _flat(images):
    return tf.reshape(images, [tf.shape(images)[0], -1])


def _per_sample(values, images):
    return tf.reshape(values, [-1] + [1] * (len(images.shape) - 1))
