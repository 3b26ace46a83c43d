"""Steps of Auto-PGD with momentum, whose length is halved where the objective stops rising."""

from typing import NamedTuple

import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.auto_pgd_search import Point, Search, StepRule
from robgan_tf.attacks.ball import per_sample
from robgan_tf.attacks.norm import Norm
from robgan_tf.attacks.samples import choose, start_at_distance

# The paper's constants: the first window between checkpoints, how much shorter each next one is
# and the shortest, as shares of all steps; the share of steps that must raise the objective;
# the weight of the gradient step against the momentum; the first step, in radii.
_FIRST_WINDOW, _WINDOW_DECREASE, _SHORTEST_WINDOW = 0.22, 0.03, 0.06
_SHARE_OF_RISES = 0.75
_STEP_WEIGHT = 0.75
_FIRST_STEP = 2.0


class _Steps(NamedTuple):
    """What decides on the next steps: all [N]."""

    size: tf.Tensor
    rises: tf.Tensor
    objective_at_checkpoint: tf.Tensor
    halved_at_checkpoint: tf.Tensor


class MomentumSteps(StepRule):
    """Algorithm 1 of Croce and Hein (ICML 2020): the steps of Auto-PGD in L-infinity and L2.

    Args:
      norm: of the ball.
    """

    def __init__(self, norm: Norm) -> None:
        self._norm = norm

    @override
    def start(
        self,
        images: tf.Tensor,
        epsilon: float | tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor,
    ) -> tf.Tensor:
        """Returns random points on the edges of the balls, clipped to [-1, 1]."""
        return start_at_distance(self._norm, images, epsilon, seeds, round_number)

    @override
    def begin(self, images: tf.Tensor, start: Point, epsilon: float | tf.Tensor) -> _Steps:
        """Returns steps of twice the radius; the start counts as a checkpoint."""
        del images
        size = tf.convert_to_tensor(_FIRST_STEP * epsilon, start.image.dtype)
        return _Steps(
            size=tf.fill(tf.shape(start.objective), size),
            rises=tf.zeros_like(start.objective, tf.int32),
            objective_at_checkpoint=start.objective,
            halved_at_checkpoint=tf.zeros_like(start.objective, tf.bool),
        )

    @override
    def move(
        self, images: tf.Tensor, search: Search, number: tf.Tensor, epsilon: float | tf.Tensor
    ) -> tf.Tensor:
        """Returns the next images: a step of ascent, mixed with the movement before."""
        image, gradient, _ = search.current
        epsilon = tf.convert_to_tensor(epsilon, images.dtype)
        ascent = per_sample(search.steps.size, image) * self._norm.ascent(gradient)
        stepped = self._norm.project_within_box(images, image + ascent, epsilon)
        # Nothing moved before the first step, which is made in full.
        weight = tf.cast(tf.where(number > 0, _STEP_WEIGHT, 1.0), image.dtype)
        momentum = (1.0 - weight) * (image - search.previous_image)
        moved = image + weight * (stepped - image) + momentum
        return self._norm.project_within_box(images, moved, epsilon)

    @override
    def count(self, steps: _Steps, before: Point, after: Point) -> _Steps:
        rises = steps.rises + tf.cast(after.objective > before.objective, tf.int32)
        return steps._replace(rises=rises)

    @override
    def adapt(
        self, images: tf.Tensor, search: Search, window: tf.Tensor, epsilon: float | tf.Tensor
    ) -> Search:
        """Returns the search with steps halved where a window that ends here went badly."""
        del images, epsilon
        steps: _Steps = search.steps
        is_checkpoint = window > 0
        needed = _SHARE_OF_RISES * tf.cast(window, tf.float32)
        oscillates = tf.cast(steps.rises, tf.float32) <= needed
        stands_still = search.best.objective <= steps.objective_at_checkpoint
        halved = is_checkpoint & (oscillates | (stands_still & ~steps.halved_at_checkpoint))
        steps = _Steps(
            size=tf.where(halved, steps.size / 2.0, steps.size),
            rises=tf.where(is_checkpoint, 0, steps.rises),
            objective_at_checkpoint=tf.where(
                is_checkpoint, search.best.objective, steps.objective_at_checkpoint
            ),
            halved_at_checkpoint=tf.where(is_checkpoint, halved, steps.halved_at_checkpoint),
        )
        # Restarted samples count their next rise from the best objective, where they now stand.
        return search._replace(current=choose(halved, search.best, search.current), steps=steps)

    @override
    def checkpoints(self, steps: int) -> list[int]:
        """Returns the paper's, which come closer and closer."""
        window = max(int(_FIRST_WINDOW * steps), 1)
        decrease = max(int(_WINDOW_DECREASE * steps), 1)
        shortest = max(int(_SHORTEST_WINDOW * steps), 1)
        found, step = [], window
        while step <= steps:
            found.append(step)
            window = max(window - decrease, shortest)
            step += window
        return found
