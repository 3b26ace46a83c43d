"""What a norm is to an attack: where it may go, and how far it went.

Images are [N, ...]; a norm is taken over all axes but the first.
"""

import abc

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.ball import clip_to_box


class Norm(abc.ABC):
    """A norm of the change of an image.

    Attributes:
      largest_epsilon: the distance that no two images in [-1, 1] exceed whatever their size; None
        where there is none.
      is_sparse: whether few large changes go farther than many small ones, so that attacks do best
        to change few values.
    """

    largest_epsilon: float | None = None
    is_sparse: bool = False

    @abc.abstractmethod
    def norm(self, perturbation: tf.Tensor) -> tf.Tensor:
        """Returns the norm of each sample, [N]."""

    @abc.abstractmethod
    def ascent(self, gradient: tf.Tensor) -> tf.Tensor:
        """Returns the unit step of steepest ascent; zero where the gradient is."""

    @abc.abstractmethod
    def project(self, perturbation: tf.Tensor, epsilon: float | tf.Tensor) -> tf.Tensor:
        """Returns the nearest perturbation within the ball of radius epsilon."""

    def ascent_within_box(self, attacked: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """Returns the unit step of ascent from images that have to stay in [-1, 1].

        Here that of `ascent`: whatever it moves out of the box is clipped. In a sparse norm, where
        a step is spent on few values, none may be spent on those that cannot move on.

        Args:
          attacked: [N, ...] where the step begins.
          gradient: [N, ...].
        """
        del attacked
        return self.ascent(gradient)

    def project_within_box(
        self, images: tf.Tensor, attacked: tf.Tensor, epsilon: float | tf.Tensor
    ) -> tf.Tensor:
        """Returns points of the ball that are in [-1, 1] too.

        Here the projection on the ball, clipped: clipping brings every value nearer to the
        original, so what is in the ball stays there. It need not be the nearest of such points.

        Args:
          images: [N, ...] the originals, in [-1, 1].
          attacked: [N, ...].
          epsilon: radius of the ball.
        """
        return clip_to_box(images + self.project(attacked - images, epsilon))

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
