"""Auto-PGD: projected gradient ascent that finds its own step size (Croce and Hein, ICML 2020)."""

import copy
import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Self

import tensorflow as tf

from robgan_tf.attacks import objectives
from robgan_tf.attacks.auto_pgd_momentum import MomentumSteps
from robgan_tf.attacks.auto_pgd_search import (
    Batch,
    Evaluate,
    Goal,
    Point,
    Search,
    StepRule,
    record,
    windows,
    without_fooled,
)
from robgan_tf.attacks.auto_pgd_sparse import SparseSteps
from robgan_tf.attacks.ball import check_ball, check_images, check_not_negative
from robgan_tf.attacks.samples import put, shapes_of_any_batch
from robgan_tf.choices import NORMS
from robgan_tf.typing import LogitsFunction

_TARGETED = "targeted_dlr"
_DEFAULT_TARGET_CLASSES = 9
# With `large_radii`: in so many radii a search begins, and for so many tenths of all steps it stays
# there; the rest of the steps are made in the ball itself.
_LARGE_RADII, _TENTHS = (3.0, 2.0), 3


class AutoPGD:
    """Maximises an objective of the logits within a ball around each image and within [-1, 1].

    The step size starts at 2 epsilon. At each checkpoint it is halved for those samples whose
    objective stopped rising, and they go on from their best image (`MomentumSteps`). In a sparse
    norm, which "l1" is, steps change few values, and how many follows the search (`SparseSteps`).
    Only the gradient with respect to the image is computed; no variable changes. A run costs
    (steps + 1) * eot forward and backward passes, two times eot more with `large_radii`, and one
    more forward pass with "targeted_dlr"; it stops early where all samples of the batch are fooled.

    For a model that randomises, `eot` passes are made at each point, whose gradients and objectives
    are averaged: expectation over transformation (Athalye et al., ICML 2018). The mean of
    "cross_entropy" is that of the log-odds that stand for it, so a pass in which the model is sure
    counts as much as the others. A sample is fooled where it is in every pass.

    Args:
      epsilon: radius of the ball, on images in [-1, 1] (8/255 of the [0, 1] scale is 0.0627).
      steps: number of steps; 0 is no attack and costs nothing.
      norm: name of a module of `attacks.norms`, such as "linf".
      objective: what to maximise, a name in `objectives.OBJECTIVES`.
      restarts: number of random starts (for each target class with "targeted_dlr").
      target_classes: number of wrong classes to try, the most likely first. Only with
        "targeted_dlr", where it is 9 unless given.
      eot: number of passes averaged at each point; 1 for a model that is a function.
      large_radii: begin in larger balls: 3 tenths of the steps in one of 3 radii, as many in one
        of 2 radii, the rest in the ball itself, each from the best image of the one before. Only
        in a sparse norm, where AutoAttack does so.

    Raises:
      ValueError: if a name does not exist, a number makes no sense, `target_classes` is given
        with another objective, or `large_radii` with a norm that is not sparse.
    """

    def __init__(
        self,
        epsilon: float,
        steps: int = 100,
        norm: str = "linf",
        objective: str = "cross_entropy",
        restarts: int = 1,
        target_classes: int | None = None,
        eot: int = 1,
        large_radii: bool = False,
    ) -> None:
        check_ball("AutoPGD", epsilon, norm)
        check_not_negative("AutoPGD", steps=steps)
        _check(objective, restarts, target_classes)
        if eot < 1:
            raise ValueError(f"AutoPGD.eot must be at least 1, got {eot}")
        is_sparse = NORMS.get(norm).is_sparse
        if large_radii and not is_sparse:
            raise ValueError(
                f"AutoPGD.large_radii goes with a sparse norm such as 'l1', not {norm!r}"
            )
        if objective == _TARGETED and target_classes is None:
            target_classes = _DEFAULT_TARGET_CLASSES
        self.epsilon = epsilon
        self.steps = steps
        self.norm = norm
        self.objective = objective
        self.restarts = restarts
        self.target_classes = target_classes
        self.eot = eot
        self.large_radii = large_radii
        self._norm = NORMS.get(norm)
        self._rule: StepRule = (
            SparseSteps(self._norm, large_radii) if is_sparse else MomentumSteps(self._norm)
        )
        self._objective = objectives.OBJECTIVES[objective]
        self._does_nothing = steps == 0 or epsilon == 0

    @property
    def name(self) -> str:
        """What reports call the attack."""
        return f"apgd-{self.objective}"

    @property
    def rounds(self) -> int:
        """Number of separate runs: one for each random start and target class."""
        return self.restarts * (self.target_classes or 1)

    @property
    def queries(self) -> int:
        """How often a round looks at one image."""
        return (self.steps + 1) * self.eot

    @property
    def form(self) -> Hashable:
        """Norm, objective, steps, of which the checkpoints are made, radii, passes at a point."""
        goal = self.objective, self.target_classes
        return self.norm, goal, self.steps, self.large_radii, self.eot, self._does_nothing

    @property
    def numbers(self) -> tuple[float, ...]:
        """Radius and restarts."""
        return float(self.epsilon), self.restarts

    def with_numbers(self, numbers: Sequence[tf.Tensor]) -> Self:
        """The same attack with other numbers; see `attacks.search.NumberedSearch`."""
        changed = copy.copy(self)
        changed.epsilon, changed.restarts = numbers
        return changed

    def __call__(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor = 0,
    ) -> tf.Tensor:
        """Makes one run on a batch.

        Args:
          logits_fn: function from images [N, ...] in [-1, 1] to logits [N, K]. It should run its
            model in inference mode, so that no sample depends on the others.
          images: [N, ...] floats in [-1, 1].
          labels: integers [N].
          seeds: integers [N, 2], one seed a sample; each round draws another start from it.
          round_number: which of the `rounds`, from 0; an integer or a scalar int32 tensor.
            "targeted_dlr" attacks towards the class of rank `round_number // restarts`.

        Returns:
          Adversarial images of the same shape, with no gradient to anything: the first one along
          the way that fooled the model, else the one of the highest objective.

        Raises:
          ValueError: if the logits have too few classes for the objective or `target_classes`.
        """
        images = tf.convert_to_tensor(images)
        check_images("AutoPGD", images)
        if self._does_nothing:
            return images
        labels = tf.convert_to_tensor(labels)
        goal = self._goal(logits_fn, images, labels, round_number)

        def evaluate(attacked: tf.Tensor, goal: Goal) -> tuple[Point, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(attacked)
                logits = self._checked(logits_fn(attacked))
                objective = self._objective(logits, *goal)
            gradient = tape.gradient(objective, attacked, unconnected_gradients="zero")
            fooled = tf.ensure_shape(objectives.is_fooled(logits, goal[0]), [None])
            return Point(attacked, gradient, objective), fooled

        look: Evaluate = _averaged(evaluate, self.eot) if self.eot > 1 else evaluate
        start = functools.partial(self._rule.start, seeds=seeds, round_number=round_number)
        found = self._run(images, goal, start, look)
        return tf.stop_gradient(tf.ensure_shape(found, images.shape))

    def _run(
        self, images: tf.Tensor, goal: Goal, start: Callable[..., tf.Tensor], evaluate: Evaluate
    ) -> tf.Tensor:
        """Searches one ball after another, and returns the best images of the last."""
        balls = self._balls()
        attacked = start(images, balls[0][0] * self.epsilon)
        for radii, steps in balls:
            epsilon = radii * self.epsilon
            if radii != balls[0][0]:
                attacked = self._norm.project_within_box(images, attacked, epsilon)
            look = evaluate if radii == 1.0 else _without_verdict(evaluate)
            point, fooled = look(attacked, goal)
            kept = self._rule.begin(images, point, epsilon)
            search = Search(point, point.image, point, fooled, kept)
            attacked = self._search(Batch(images, goal, search), look, steps, epsilon)
        return attacked

    def _balls(self) -> list[tuple[float, int]]:
        """Returns in how many radii so many steps are made, in order; none has no step."""
        if not self.large_radii:
            return [(1.0, self.steps)]
        each = _TENTHS * self.steps // 10
        last = (1.0, self.steps - len(_LARGE_RADII) * each)
        return [*((radii, each) for radii in _LARGE_RADII if each), last]

    def _goal(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        round_number: int | tf.Tensor,
    ) -> Goal:
        """Returns what the objective compares the logits with: labels, and targets if any."""
        if self.objective != _TARGETED:
            return (labels,)
        clean = self._checked(logits_fn(images))
        rank = round_number // self.restarts
        return labels, objectives.target_classes(clean, labels, rank)

    def _checked(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the logits, if they have enough classes."""
        classes = objectives.check_classes("AutoPGD", self.objective, logits)
        if self.target_classes is not None and self.target_classes > classes - 1:
            raise ValueError(
                f"AutoPGD.target_classes = {self.target_classes} is more than the wrong classes "
                f"there are; with {classes} classes it is at most {classes - 1}"
            )
        return logits

    def _search(
        self, batch: Batch, evaluate: Evaluate, steps: int, epsilon: float | tf.Tensor
    ) -> tf.Tensor:
        """Makes all steps in one ball, until every sample is fooled, and returns the best images.

        Samples that are fooled leave the batch at the next checkpoint: nothing that they do later
        has an effect, and the steps that are left cost that much less.
        """
        rule = self._rule
        lengths = tf.constant(windows(rule.checkpoints(steps), steps))

        def continues(number: tf.Tensor, batch: Batch, *_: Any) -> tf.Tensor:
            return (number < steps) & ~tf.reduce_all(batch.search.fooled)

        def body(
            number: tf.Tensor, batch: Batch, numbers: tf.Tensor, found: tf.Tensor
        ) -> tuple[tf.Tensor, Batch, tf.Tensor, tf.Tensor]:
            moved = rule.move(batch.images, batch.search, number, epsilon)
            search = record(rule, batch.search, *evaluate(moved, batch.goal))
            search = rule.adapt(batch.images, search, lengths[number], epsilon)
            batch = batch._replace(search=search)
            batch, numbers, found = tf.cond(
                lengths[number] > 0,
                lambda: without_fooled(batch, numbers, found),
                lambda: (batch, numbers, found),
            )
            return number + 1, batch, numbers, found

        first = (0, batch, tf.range(tf.shape(batch.images)[0]), batch.images)
        of_any_size = shapes_of_any_batch(first[1:])
        _, batch, numbers, found = tf.while_loop(
            continues,
            body,
            first,
            shape_invariants=(tf.TensorShape([]), *of_any_size),
            maximum_iterations=steps,
        )
        return put(found, numbers, batch.search.best.image)


def _averaged(evaluate: Evaluate, passes: int) -> Evaluate:
    """Returns the function that makes so many passes, one after another in one graph.

    Objectives and gradients are the means, and fooled is who is so in every pass.
    """

    def evaluate_all(attacked: tf.Tensor, goal: Goal) -> tuple[Point, tf.Tensor]:
        def add(
            number: tf.Tensor, gradient: tf.Tensor, objective: tf.Tensor, fooled: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
            point, fooled_now = evaluate(attacked, goal)
            objective += tf.cast(point.objective, objective.dtype)
            return number + 1, gradient + point.gradient, objective, fooled & fooled_now

        nothing = tf.zeros_like(goal[0], attacked.dtype)
        _, gradient, objective, fooled = tf.while_loop(
            lambda number, *_: number < passes,
            add,
            (0, tf.zeros_like(attacked), nothing, tf.ones_like(goal[0], tf.bool)),
            maximum_iterations=passes,
        )
        return Point(attacked, gradient / passes, objective / passes), fooled

    return evaluate_all


def _without_verdict(evaluate: Evaluate) -> Evaluate:
    """Returns the function for balls that are too large: who is fooled there, is not yet."""

    def look(attacked: tf.Tensor, goal: Goal) -> tuple[Point, tf.Tensor]:
        point, fooled = evaluate(attacked, goal)
        return point, tf.zeros_like(fooled)

    return look


def _check(objective: str, restarts: int, target_classes: int | None) -> None:
    objectives.check_objective("AutoPGD", objective, objectives.OBJECTIVES)
    if restarts < 1:
        raise ValueError(f"AutoPGD.restarts must be at least 1, got {restarts}")
    if target_classes is None:
        return
    if objective != _TARGETED:
        raise ValueError(
            f"AutoPGD.target_classes only goes with objective {_TARGETED!r}, not with {objective!r}"
        )
    if target_classes < 1:
        raise ValueError(f"AutoPGD.target_classes must be at least 1, got {target_classes}")
