"""What a norm is to an attack: where it may go, and how far it went.

Images are [N, ...]; a norm is taken over all axes but the first.
"""

import abc

import numpy as np
import tensorflow as tf


class Norm(abc.ABC):
    """A norm of the change of an image.

    Attributes:
      largest_epsilon: the distance that no two images in [-1, 1] exceed whatever their size; None
        where there is none.
    """

    largest_epsilon: float | None = None

    @abc.abstractmethod
    def norm(self, perturbation: tf.Tensor) -> tf.Tensor:
        """Returns the norm of each sample, [N]."""

    @abc.abstractmethod
    def ascent(self, gradient: tf.Tensor) -> tf.Tensor:
        """Returns the unit step of steepest ascent; zero where the gradient is."""

    @abc.abstractmethod
    def project(self, perturbation: tf.Tensor, epsilon: float | tf.Tensor) -> tf.Tensor:
        """Returns the nearest perturbation within the ball of radius epsilon."""

    @abc.abstractmethod
    def random(
        self, shape: tf.Tensor, epsilon: float | tf.Tensor, seed: tf.Tensor, dtype: tf.DType
    ) -> tf.Tensor:
        """Returns one sample's perturbation, uniform in the ball; `seed` is int [2].

        Args:
          shape: of the sample.
          epsilon: radius of the ball.
          seed: int [2].
          dtype: of the perturbation.
        """

    @abc.abstractmethod
    def distance(self, change: np.ndarray) -> np.ndarray:
        """Returns the norm of each sample of a float64 array [N, d], [N].

        The verifier's own account, apart from what attacks compute with.
        """

    @abc.abstractmethod
    def grey_radius(self, values: int) -> float:
        """A radius within which any image of so many pixel values in [-1, 1] can be made grey."""

    def share_at_edge(
        self, images: tf.Tensor, attacked: tf.Tensor, epsilon: float | tf.Tensor
    ) -> tf.Tensor | None:
        """Share of pixel values moved to the edge of the ball; None where each has no edge.

        Args:
          images: [N, ...] originals.
          attacked: [N, ...] adversarial images.
          epsilon: radius on [-1, 1].
        """
        del images, attacked, epsilon
        return None
