"""MI-FGSM: 10 steps of a tenth of the radius with momentum 1 (Dong et al., 2018)."""

import copy
from collections.abc import Hashable, Sequence
from typing import Self

import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.ball import (
    check_ball,
    check_images,
    flat,
    of_largest_one,
    per_sample,
)
from robgan_tf.attacks.objectives import check_classes, log_odds
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.choices import NORMS
from robgan_tf.typing import LogitsFunction

STEPS, DECAY = 10, 1.0
_SMALLEST_NORM = 1e-12


class MomentumSearch:
    """Iterates g <- decay g + dl/dx / |dl/dx|_1 and moves along the steepest ascent of g.

    l is the cross-entropy, climbed as `objectives.log_odds`. Equations (6) and (7) of the paper in
    the L-infinity norm, its equation (8) in L2; in other norms the step of their steepest ascent.
    It starts at the image and returns where the last step ends.

    Args:
      epsilon: radius of the ball, on images in [-1, 1].
      steps: number of steps, at least 1; each is epsilon / steps long.
      decay: of the accumulated gradient.
      norm: name of the norm.

    Raises:
      ValueError: if the radius or the norm makes no sense, or there is no step.
    """

    name = "mi-fgsm"
    rounds = 1

    def __init__(
        self, epsilon: float, steps: int = STEPS, decay: float = DECAY, norm: str = "linf"
    ) -> None:
        check_ball("MomentumSearch", epsilon, norm)
        if steps < 1:
            raise ValueError(f"MomentumSearch.steps must be at least 1, not {steps}")
        self.epsilon = epsilon
        self.steps = steps
        self.step_size = epsilon / steps
        self.decay = decay
        self.norm = norm

    @property
    def queries(self) -> int:
        """How often a round looks at one image."""
        return self.steps

    @property
    def form(self) -> Hashable:
        """Norm and decay."""
        return self.norm, self.decay

    @property
    def numbers(self) -> tuple[float, ...]:
        """Radius, length of a step, number of steps."""
        return float(self.epsilon), self.step_size, self.steps

    def with_numbers(self, numbers: Sequence[tf.Tensor]) -> Self:
        """The same attack with other numbers; see `attacks.search.NumberedSearch`."""
        changed = copy.copy(self)
        changed.epsilon, changed.step_size, changed.steps = numbers
        return changed

    def __call__(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor = 0,
    ) -> tf.Tensor:
        """Attacks a batch once; see `attacks.search.AttackSearch`. Nothing is random."""
        del seeds, round_number
        images = tf.convert_to_tensor(images)
        check_images("MomentumSearch", images)
        norm = NORMS.get(self.norm)

        def step(
            number: tf.Tensor, attacked: tf.Tensor, accumulated: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(attacked)
                logits = logits_fn(attacked)
                check_classes("MomentumSearch", "cross_entropy", logits)
                values = log_odds(logits, labels)
            gradient = tape.gradient(values, attacked, unconnected_gradients="zero")
            gradient = of_largest_one(gradient)
            length = tf.maximum(tf.reduce_sum(tf.abs(flat(gradient)), axis=1), _SMALLEST_NORM)
            accumulated = self.decay * accumulated + gradient / per_sample(length, gradient)
            moved = attacked + self.step_size * norm.ascent_within_box(attacked, accumulated)
            attacked = norm.project_within_box(images, moved, self.epsilon)
            return number + 1, attacked, accumulated

        _, attacked, _ = tf.while_loop(
            lambda number, *_: number < self.steps,
            step,
            (0, images, tf.zeros_like(images)),
            shape_invariants=(tf.TensorShape([]), images.shape, images.shape),
            maximum_iterations=self.steps,
        )
        return tf.stop_gradient(attacked)


class MomentumFGSM(EvaluationProtocol):
    """The paper's white-box attack."""

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        del num_classes
        return [MomentumSearch(epsilon, norm=norm)]


CHOICE = MomentumFGSM()
