"""Auto-PGD: projected gradient ascent that finds its own step size (Croce and Hein, ICML 2020)."""

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, Self

import tensorflow as tf

from robgan_tf.attacks import objectives
from robgan_tf.attacks.ball import (
    check_ball,
    check_images,
    check_not_negative,
    clip_to_box,
    per_sample,
)
from robgan_tf.attacks.samples import keep_where, put, shapes_of_any_batch, start_at_distance
from robgan_tf.choices import NORMS
from robgan_tf.typing import LogitsFunction

_TARGETED = "targeted_dlr"
_DEFAULT_TARGET_CLASSES = 9
# The paper's constants: the first window between checkpoints, how much shorter each next one is
# and the shortest, as shares of all steps; the share of steps that must raise the objective;
# the weight of the gradient step against the momentum.
_FIRST_WINDOW, _WINDOW_DECREASE, _SHORTEST_WINDOW = 0.22, 0.03, 0.06
_SHARE_OF_RISES = 0.75
_STEP_WEIGHT = 0.75


# What the objective compares the logits with: labels [N], and targets [N] if any.
_Goal = tuple[tf.Tensor, ...]


class _Point(NamedTuple):
    """Where samples stand: all [N, ...]."""

    image: tf.Tensor
    gradient: tf.Tensor
    objective: tf.Tensor


# Looks at images [N, ...]: where they are, and whether they fool the model, [N].
_Evaluate = Callable[[tf.Tensor, _Goal], tuple[_Point, tf.Tensor]]


class _Search(NamedTuple):
    """What the attack carries from step to step, for each sample its own: all [N, ...]."""

    current: _Point
    previous_image: tf.Tensor
    best: _Point
    fooled: tf.Tensor
    step_size: tf.Tensor
    rises: tf.Tensor
    objective_at_checkpoint: tf.Tensor
    halved_at_checkpoint: tf.Tensor


class _Batch(NamedTuple):
    """The samples that are searched.

    Attributes:
      images: [M, ...] the originals.
      goal: what the objective compares the logits with; labels [M] first.
      search: their _Search.
    """

    images: tf.Tensor
    goal: _Goal
    search: _Search


class AutoPGD:
    """Maximises an objective of the logits within a ball around each image and within [-1, 1].

    The step size starts at 2 epsilon. At each checkpoint it is halved for those samples whose
    objective stopped rising, and they go on from their best image. Only the gradient with
    respect to the image is computed; no variable changes. A run costs (steps + 1) * eot forward and
    backward passes, and one more forward pass with "targeted_dlr"; it stops early where all
    samples of the batch are fooled.

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

    Raises:
      ValueError: if a name does not exist, a number makes no sense, or `target_classes` is given
        with another objective.
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
    ) -> None:
        check_ball("AutoPGD", epsilon, norm)
        check_not_negative("AutoPGD", steps=steps)
        _check(objective, restarts, target_classes)
        if eot < 1:
            raise ValueError(f"AutoPGD.eot must be at least 1, got {eot}")
        if objective == _TARGETED and target_classes is None:
            target_classes = _DEFAULT_TARGET_CLASSES
        self.epsilon = epsilon
        self.steps = steps
        self.norm = norm
        self.objective = objective
        self.restarts = restarts
        self.target_classes = target_classes
        self.eot = eot
        self._norm = NORMS.get(norm)
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
        """Norm, objective, steps, of which the checkpoints are made, and passes at a point."""
        does_nothing = self._does_nothing
        return self.norm, self.objective, self.steps, self.target_classes, self.eot, does_nothing

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

        def evaluate(attacked: tf.Tensor, goal: _Goal) -> tuple[_Point, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(attacked)
                logits = self._checked(logits_fn(attacked))
                objective = self._objective(logits, *goal)
            gradient = tape.gradient(objective, attacked, unconnected_gradients="zero")
            fooled = tf.ensure_shape(objectives.is_fooled(logits, goal[0]), [None])
            return _Point(attacked, gradient, objective), fooled

        look: _Evaluate = _averaged(evaluate, self.eot) if self.eot > 1 else evaluate
        start = start_at_distance(self._norm, images, self.epsilon, seeds, round_number)
        point, fooled = look(start, goal)
        search = _begin(point, fooled, 2.0 * self.epsilon)
        found = self._search(_Batch(images, goal, search), look)
        return tf.stop_gradient(tf.ensure_shape(found, images.shape))

    def _goal(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        round_number: int | tf.Tensor,
    ) -> _Goal:
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

    def _search(self, batch: _Batch, evaluate: _Evaluate) -> tf.Tensor:
        """Makes all steps, until every sample is fooled, and returns the best images.

        Samples that are fooled leave the batch at the next checkpoint: nothing that they do later
        has an effect, and the steps that are left cost that much less.
        """
        windows = tf.constant(_windows(self.steps))

        def continues(number: tf.Tensor, batch: _Batch, *_: Any) -> tf.Tensor:
            return (number < self.steps) & ~tf.reduce_all(batch.search.fooled)

        def body(
            number: tf.Tensor, batch: _Batch, numbers: tf.Tensor, found: tf.Tensor
        ) -> tuple[tf.Tensor, _Batch, tf.Tensor, tf.Tensor]:
            moved = self._move(batch.images, batch.search, number)
            search = _record(batch.search, *evaluate(moved, batch.goal))
            batch = batch._replace(search=_adapt(search, windows[number]))
            batch, numbers, found = tf.cond(
                windows[number] > 0,
                lambda: _without_fooled(batch, numbers, found),
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
            maximum_iterations=self.steps,
        )
        return put(found, numbers, batch.search.best.image)

    def _move(self, images: tf.Tensor, search: _Search, number: tf.Tensor) -> tf.Tensor:
        """Returns the next images: a step of ascent, mixed with the movement before."""
        image, gradient, _ = search.current
        ascent = per_sample(search.step_size, image) * self._norm.ascent(gradient)
        stepped = self._project(images, image + ascent)
        # Nothing moved before the first step, which is made in full.
        weight = tf.cast(tf.where(number > 0, _STEP_WEIGHT, 1.0), image.dtype)
        momentum = (1.0 - weight) * (image - search.previous_image)
        return self._project(images, image + weight * (stepped - image) + momentum)

    def _project(self, images: tf.Tensor, attacked: tf.Tensor) -> tf.Tensor:
        """Returns images in the ball and the box: clipping moves them towards the originals."""
        epsilon = tf.convert_to_tensor(self.epsilon, images.dtype)
        return clip_to_box(images + self._norm.project(attacked - images, epsilon))


def _averaged(evaluate: _Evaluate, passes: int) -> _Evaluate:
    """Returns the function that makes so many passes, one after another in one graph.

    Objectives and gradients are the means, and fooled is who is so in every pass.
    """

    def evaluate_all(attacked: tf.Tensor, goal: _Goal) -> tuple[_Point, tf.Tensor]:
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
        return _Point(attacked, gradient / passes, objective / passes), fooled

    return evaluate_all


def checkpoints(steps: int) -> list[int]:
    """Returns after how many steps the step size is looked at, a rising list."""
    window = max(int(_FIRST_WINDOW * steps), 1)
    decrease = max(int(_WINDOW_DECREASE * steps), 1)
    shortest = max(int(_SHORTEST_WINDOW * steps), 1)
    found, step = [], window
    while step <= steps:
        found.append(step)
        window = max(window - decrease, shortest)
        step += window
    return found


def _windows(steps: int) -> list[int]:
    """Returns for each step the length of the window that it ends, 0 where it ends none."""
    windows, last = [0] * steps, 0
    for checkpoint in checkpoints(steps):
        windows[checkpoint - 1] = checkpoint - last
        last = checkpoint
    return windows


def _begin(start: _Point, fooled: tf.Tensor, step_size: float | tf.Tensor) -> _Search:
    """Returns the search before its first step; the start counts as a checkpoint."""
    return _Search(
        current=start,
        previous_image=start.image,
        best=start,
        fooled=fooled,
        step_size=tf.fill(tf.shape(fooled), tf.convert_to_tensor(step_size, start.image.dtype)),
        rises=tf.zeros_like(fooled, tf.int32),
        objective_at_checkpoint=start.objective,
        halved_at_checkpoint=tf.zeros_like(fooled),
    )


def _record(search: _Search, point: _Point, fooled: tf.Tensor) -> _Search:
    """Returns the search at its next point.

    The first point that fools the model becomes the best for good: whatever the sample does
    afterwards has no effect on its result, so it does not matter how long its batch goes on.
    """
    better = ~search.fooled & (fooled | (point.objective > search.best.objective))
    return search._replace(
        current=point,
        previous_image=search.current.image,
        best=_choose(better, point, search.best),
        fooled=search.fooled | fooled,
        rises=search.rises + tf.cast(point.objective > search.current.objective, tf.int32),
    )


def _adapt(search: _Search, window: tf.Tensor) -> _Search:
    """Returns the search with step sizes halved where a window that ends here went badly.

    Args:
      search: after a step.
      window: number of steps since the last checkpoint; 0 where there is no checkpoint now.
    """
    is_checkpoint = window > 0
    needed = _SHARE_OF_RISES * tf.cast(window, tf.float32)
    oscillates = tf.cast(search.rises, tf.float32) <= needed
    stands_still = search.best.objective <= search.objective_at_checkpoint
    halved = is_checkpoint & (oscillates | (stands_still & ~search.halved_at_checkpoint))
    return search._replace(
        # Restarted samples count their next rise from the best objective, where they now stand.
        current=_choose(halved, search.best, search.current),
        step_size=tf.where(halved, search.step_size / 2.0, search.step_size),
        rises=tf.where(is_checkpoint, 0, search.rises),
        objective_at_checkpoint=tf.where(
            is_checkpoint, search.best.objective, search.objective_at_checkpoint
        ),
        halved_at_checkpoint=tf.where(is_checkpoint, halved, search.halved_at_checkpoint),
    )


def _without_fooled(
    batch: _Batch, numbers: tf.Tensor, found: tf.Tensor
) -> tuple[_Batch, tf.Tensor, tf.Tensor]:
    """Takes the samples that are fooled out of the batch.

    Args:
      batch: a _Batch of M samples.
      numbers: [M], their positions in the whole batch.
      found: [N, ...] results of the whole batch.

    Returns:
      The three without them, their best images put into `found`.
    """
    fooled = batch.search.fooled
    found = put(
        found, tf.boolean_mask(numbers, fooled), tf.boolean_mask(batch.search.best.image, fooled)
    )
    return *keep_where(~fooled, (batch, numbers)), found


def _choose(condition: tf.Tensor, chosen: _Point, otherwise: _Point) -> _Point:
    """Returns for each sample the one point or the other."""
    return tf.nest.map_structure(
        lambda one, other: tf.where(per_sample(condition, one), one, other), chosen, otherwise
    )


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
