"""Projected gradient descent, the attacker (paper equation (2); Madry et al., ICLR 2018)."""

import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.ball import (
    check_ball,
    check_images,
    check_not_negative,
    clip_to_box,
)
from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.choices import NORMS
from robgan_tf.typing import LossFunction


class ProjectedGradientDescent(TrainingAttack):
    """Maximises a per-sample loss within a ball around each image and within [-1, 1].

    One step moves along the steepest ascent of the loss in the norm, projects the perturbation
    on the ball and clips the image. Only the gradient with respect to the image is computed; no
    variable changes.

    Args:
      epsilon: radius of the ball, on images in [-1, 1] (8/255 of the [0, 1] scale is 0.0627).
      steps: number of steps; 0 is no attack and costs nothing.
      step_size: length of one step, on the same scale and in the same norm as epsilon.
      norm: name of a module of `attacks.norms`, such as "linf".
      random_start: start at a uniformly random point of the ball instead of at the image.
      relative_step: whether `step_size` is a share of the radius instead, also where a call gives
        another radius.

    Raises:
      ValueError: if epsilon or the step size is negative, an L-infinity epsilon is above 2, the
        number of steps is negative, or the norm does not exist.
    """

    takes_start = True

    def __init__(
        self,
        epsilon: float,
        steps: int,
        step_size: float,
        norm: str = "linf",
        random_start: bool = False,
        relative_step: bool = False,
    ) -> None:
        check_ball("ProjectedGradientDescent", epsilon, norm)
        check_not_negative("ProjectedGradientDescent", steps=steps, step_size=step_size)
        self.epsilon = epsilon
        self.steps = steps
        self.step_size = step_size
        self.norm = norm
        self.random_start = random_start
        self.relative_step = relative_step
        self._norm = NORMS.get(norm)

    def __call__(
        self,
        loss_fn: LossFunction,
        images: tf.Tensor,
        seed: tf.Tensor | None = None,
        epsilon: float | tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Attacks a batch.

        Args:
          loss_fn: function from images [N, ...] to losses [N], to be maximised. It should run
            its model in inference mode.
          images: [N, ...] floats in [-1, 1].
          seed: integers [2] for the batch, or [N, 2] with one seed a sample, which makes each
            result independent of the batch it is in. Needed with `random_start`.
          epsilon: a scalar that replaces the radius of the constructor in this call (a warm-up).

        Returns:
          Adversarial images of the same shape, with no gradient to anything.

        Raises:
          ValueError: if a random start is asked for without a seed, or images are not floats in
            [-1, 1] (within a graph, where their values are not known: not floats).
        """
        return self.checked(loss_fn, images, seed, epsilon)[0]

    @override
    def checked(
        self,
        loss_fn: LossFunction,
        images: tf.Tensor,
        seed: tf.Tensor | None = None,
        epsilon: float | tf.Tensor | None = None,
        start: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.convert_to_tensor(images)
        check_images("ProjectedGradientDescent", images)
        if self.steps == 0:
            return images, tf.zeros([], images.dtype)
        epsilon = self.epsilon if epsilon is None else epsilon
        attacked = self.start(images, seed, epsilon) if start is None else start

        def step(
            number: tf.Tensor, attacked: tf.Tensor, total: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(attacked)
                losses = loss_fn(attacked)
            gradient = tape.gradient(losses, attacked)
            # The sign of an infinite gradient is one like any other: it would be seen nowhere.
            total += tf.reduce_sum(gradient)
            return number + 1, self.step(images, attacked, gradient, epsilon), total

        _, attacked, total = tf.while_loop(
            lambda number, attacked, total: number < self.steps,
            step,
            (0, attacked, tf.zeros([], images.dtype)),
            shape_invariants=(tf.TensorShape([]), images.shape, tf.TensorShape([])),
            maximum_iterations=self.steps,
        )
        return tf.stop_gradient(attacked), tf.stop_gradient(total)

    def start(
        self, images: tf.Tensor, seed: tf.Tensor | None, epsilon: float | tf.Tensor
    ) -> tf.Tensor:
        """Returns where the attack starts: the images, or random points of their balls.

        Args:
          images: [N, ...] floats in [-1, 1].
          seed: as in a call.
          epsilon: radius.
        """
        if not self.random_start:
            return images
        if seed is None:
            raise ValueError("ProjectedGradientDescent with random_start=True needs a seed")
        epsilon = tf.cast(epsilon, images.dtype)
        shape = tf.shape(images)
        seeds = tf.convert_to_tensor(seed)
        if len(seeds.shape) == 1:
            seeds = tf.random.split(seeds, shape[0])
        noise = tf.map_fn(
            lambda sample_seed: self._norm.random(shape[1:], epsilon, sample_seed, images.dtype),
            seeds,
            fn_output_signature=tf.TensorSpec(images.shape[1:], images.dtype),
        )
        return clip_to_box(images + noise)

    def step(
        self,
        images: tf.Tensor,
        attacked: tf.Tensor,
        gradient: tf.Tensor,
        epsilon: float | tf.Tensor,
    ) -> tf.Tensor:
        """Makes one step from `attacked`, whose losses have this gradient; equation (2).

        Args:
          images: [N, ...] the originals, in [-1, 1].
          attacked: [N, ...] where the attack stands.
          gradient: [N, ...] of the losses with respect to `attacked`; its length does not matter.
          epsilon: radius.

        Returns:
          The next adversarial images, within the ball and [-1, 1].
        """
        epsilon = tf.cast(epsilon, images.dtype)
        size = self.step_size * epsilon if self.relative_step else self.step_size
        moved = attacked + size * self._norm.ascent_within_box(attacked, gradient)
        return self._norm.project_within_box(images, moved, epsilon)
