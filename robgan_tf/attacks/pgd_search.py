"""PGD as a search for adversarial examples of a classifier; FGSM is its one-step case.

Where `ProjectedGradientDescent` is the attacker of training, which returns where it ends, this
is a measurement: it chooses what to maximise, restarts, and keeps the best it has seen.
"""

import copy
from collections.abc import Hashable, Sequence
from typing import Self

import tensorflow as tf

from robgan_tf.attacks.ball import check_images, per_sample
from robgan_tf.attacks.objectives import OBJECTIVES, check_classes, check_objective, is_fooled
from robgan_tf.attacks.pgd import ProjectedGradientDescent
from robgan_tf.typing import LogitsFunction

KEEP = ("best", "last")

# The images [N, ...] kept so far, their objective [N], whether they are fooled [N].
Best = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


class PGDSearch:
    """Searches the ball around each image for one that the classifier gets wrong.

    A search has `rounds`, one for each restart (and target class). They are separate, so that the
    caller can leave out samples that an earlier round has fooled.

    Args:
      epsilon: radius of the ball, on images in [-1, 1].
      steps: number of steps.
      step_size: length of a step on the same scale, or with `relative_step` as a share of epsilon.
      norm: name of a module of `attacks.norms`, such as "linf".
      random_start: start at a random point of the ball; otherwise at the image.
      objective: a name in `objectives.OBJECTIVES`.
      restarts: how many random starts; more than 1 needs `random_start`.
      keep: "best": the first misclassified image met, else that of the highest objective;
        "last": where the last step ends, as in the paper's evaluation.
      name: what reports call it.
      relative_step: as above.

    Raises:
      ValueError: if a number or a choice makes no sense.
    """

    def __init__(
        self,
        epsilon: float,
        steps: int,
        step_size: float,
        norm: str = "linf",
        random_start: bool = False,
        objective: str = "cross_entropy",
        restarts: int = 1,
        keep: str = "best",
        name: str = "pgd",
        relative_step: bool = False,
    ) -> None:
        self._descent = ProjectedGradientDescent(
            epsilon, steps, step_size, norm, random_start, relative_step
        )
        check_objective("PGDSearch", objective, [x for x in OBJECTIVES if x != "targeted_dlr"])
        if keep not in KEEP:
            raise ValueError(
                f"PGDSearch.keep {keep!r} does not exist; choose one of {', '.join(KEEP)}"
            )
        if restarts < 1 or (restarts > 1 and not random_start):
            raise ValueError(
                f"PGDSearch.restarts must be 1, or more with random_start=True, not {restarts}"
            )
        self.epsilon = epsilon
        self.norm = norm
        self.objective = objective
        self.rounds = restarts
        self.keep = keep
        self.name = name
        self._does_nothing = steps == 0 or epsilon == 0.0

    @property
    def queries(self) -> int:
        """How often a round looks at one image."""
        return self._descent.steps + 1

    @property
    def form(self) -> Hashable:
        """Norm, start, objective, what is kept; whether steps are shares of the radius."""
        start, relative = self._descent.random_start, self._descent.relative_step
        return self.norm, start, self.objective, self.keep, relative, self._does_nothing

    @property
    def numbers(self) -> tuple[float, ...]:
        """Radius, length of a step, number of steps."""
        descent = self._descent
        return float(descent.epsilon), float(descent.step_size), descent.steps

    def with_numbers(self, numbers: Sequence[tf.Tensor]) -> Self:
        """The same search with other numbers; see `attacks.search.NumberedSearch`."""
        changed, descent = copy.copy(self), copy.copy(self._descent)
        descent.epsilon, descent.step_size, descent.steps = numbers
        changed.epsilon, changed._descent = descent.epsilon, descent
        return changed

    def __call__(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor = 0,
    ) -> tf.Tensor:
        """Attacks a batch once.

        Args:
          logits_fn: function from images [N, H, W, C] to logits [N, K], in inference mode.
          images: [N, H, W, C] in [-1, 1].
          labels: [N] integers.
          seeds: [N, 2] integers, a seed a sample.
          round_number: which round this is, 0 to `rounds` - 1; an integer or a scalar tensor.

        Returns:
          Adversarial images of the same shape.

        Raises:
          ValueError: if the classifier has too few classes for the objective, or images are not
            floats in [-1, 1] (within a graph, where their values are not known: not floats).
        """
        descent, objective = self._descent, OBJECTIVES[self.objective]
        images = tf.convert_to_tensor(images)
        check_images("PGDSearch", images)
        if self._does_nothing:
            return images
        attacked = descent.start(images, round_seeds(seeds, round_number), descent.epsilon)

        def step(
            number: tf.Tensor, attacked: tf.Tensor, best: Best
        ) -> tuple[tf.Tensor, tf.Tensor, Best]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(attacked)
                logits = logits_fn(attacked)
                check_classes("PGDSearch", self.objective, logits)
                values = objective(logits, labels)
            best = keep_best(best, attacked, values, is_fooled(logits, labels))
            gradient = tape.gradient(values, attacked, unconnected_gradients="zero")
            return number + 1, descent.step(images, attacked, gradient, descent.epsilon), best

        _, attacked, best = tf.while_loop(
            lambda number, *_: number < descent.steps,
            step,
            (0, attacked, nothing_found(attacked)),
            shape_invariants=(
                tf.TensorShape([]),
                images.shape,
                (images.shape, tf.TensorShape([None]), tf.TensorShape([None])),
            ),
            maximum_iterations=descent.steps,
        )
        if self.keep == "last":
            return attacked
        logits = logits_fn(attacked)
        return keep_best(best, attacked, objective(logits, labels), is_fooled(logits, labels))[0]


def fgsm(epsilon: float, norm: str = "linf") -> PGDSearch:
    """The fast gradient sign method (Goodfellow et al., 2015): one step of the whole radius."""
    return PGDSearch(epsilon, 1, epsilon, norm, keep="last", name="fgsm")


def round_seeds(seeds: tf.Tensor, round_number: int | tf.Tensor) -> tf.Tensor:
    """Returns seeds [N, 2] of one round, made of the samples' seeds [N, 2]."""
    return tf.map_fn(
        lambda seed: tf.random.experimental.stateless_fold_in(seed, round_number),
        tf.convert_to_tensor(seeds),
        fn_output_signature=tf.TensorSpec([2], tf.int32),
    )


def nothing_found(images: tf.Tensor) -> Best:
    """The state before the first iterate of `keep_best`: images, values [N], fooled [N]."""
    count = tf.shape(images)[0]
    return (
        images,
        tf.fill([count], tf.constant(-float("inf"), images.dtype)),
        tf.fill([count], False),
    )


def keep_best(best: Best, images: tf.Tensor, values: tf.Tensor, fooled: tf.Tensor) -> Best:
    """Replaces kept images by better ones: fooled ones first, then those of higher value.

    Args:
      best: (images [N, ...], values [N], fooled [N]) kept so far.
      images: [N, ...] new ones.
      values: [N] their objective.
      fooled: [N] whether they are misclassified.

    Returns:
      The new `best`.
    """
    kept, kept_values, kept_fooled = best
    better = ~kept_fooled & (fooled | (values > kept_values))
    return (
        tf.where(per_sample(better, images), images, kept),
        tf.where(better, values, kept_values),
        kept_fooled | fooled,
    )
