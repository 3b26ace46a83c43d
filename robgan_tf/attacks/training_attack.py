"""What an attack of training is: what finds the perturbation that D is trained on."""

import abc
from collections.abc import Callable

import tensorflow as tf


class TrainingAttack(abc.ABC):
    """An attack that training makes; built with the settings of `ProjectedGradientDescent`.

    Attributes:
      epsilon: radius of the ball, on images in [-1, 1].
      steps: number of steps; 0 is no attack.
      norm: name of the norm of the ball.
      takes_start: whether `checked` can be told where to start.
    """

    epsilon: float
    steps: int
    norm: str
    takes_start: bool = False

    @abc.abstractmethod
    def __call__(
        self,
        loss_fn: Callable[[tf.Tensor], tf.Tensor],
        images: tf.Tensor,
        seed: tf.Tensor | None = None,
        epsilon: float | tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Attacks a batch; it changes no variable.

        Args:
          loss_fn: function from images [N, ...] to losses [N], to be maximised.
          images: [N, ...] floats in [-1, 1].
          seed: integers [2] for the batch, or [N, 2] with one seed a sample; None where the
            attack draws nothing.
          epsilon: a scalar that replaces the radius in this call (a warm-up).

        Returns:
          Adversarial images of the same shape, within ball and box, with no gradient to anything.
        """

    def checked(
        self,
        loss_fn: Callable[[tf.Tensor], tf.Tensor],
        images: tf.Tensor,
        seed: tf.Tensor | None = None,
        epsilon: float | tf.Tensor | None = None,
        start: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Attacks a batch as a call does, with a number that tells whether all of it was finite.

        Args:
          loss_fn: as in a call.
          images: as in a call.
          seed: as in a call.
          epsilon: as in a call.
          start: [N, ...] where to start in place of where the attack would; given only to an
            attack that `takes_start`.

        Returns:
          Adversarial images, and a scalar that is infinite or NaN if what the attack followed was:
          here the sum of the images; of an attack that looks at its gradients, theirs.
        """
        del start
        attacked = self(loss_fn, images, seed=seed, epsilon=epsilon)
        return attacked, tf.reduce_sum(attacked)

    def start(
        self, images: tf.Tensor, seed: tf.Tensor | None, epsilon: float | tf.Tensor
    ) -> tf.Tensor:
        """Where free adversarial training starts from: the images as they are.

        Args:
          images: [N, ...] floats in [-1, 1].
          seed: as in a call.
          epsilon: radius.
        """
        del seed, epsilon
        return images

    def step(
        self,
        images: tf.Tensor,
        attacked: tf.Tensor,
        gradient: tf.Tensor,
        epsilon: float | tf.Tensor,
    ) -> tf.Tensor:
        """Makes one step of free adversarial training, by the gradient of a training update.

        Args:
          images: [N, ...] the originals, in [-1, 1].
          attacked: [N, ...] where the attack stands.
          gradient: [N, ...] of the losses with respect to `attacked`.
          epsilon: radius.
        """
        raise NotImplementedError

    def check_free(self) -> None:
        """Raises ValueError unless free adversarial training can take the attack step by step."""
        if type(self).step is TrainingAttack.step:
            raise ValueError(
                "free adversarial training takes an attack step by step, which "
                f"{type(self).__name__} does not know: bind free = False"
            )
        if self.steps < 2:
            raise ValueError(
                "free adversarial training makes ProjectedGradientDescent.steps updates of each "
                f"batch and needs at least 2, not {self.steps}"
            )
