"""FAB: the smallest perturbation that fools, over linear models of the boundary (Croce and Hein).

"Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML 2020; targeted
as in "Reliable evaluation of adversarial robustness", ICML 2020 (AutoAttack).
"""

import copy
from collections.abc import Hashable, Sequence
from typing import NamedTuple, Self

import tensorflow as tf

from robgan_tf.attacks import hyperplane, linear_boundary, objectives
from robgan_tf.attacks.ball import (
    check_ball,
    check_images,
    check_not_negative,
    clip_to_box,
    flat,
    per_sample,
)
from robgan_tf.attacks.norm import Norm
from robgan_tf.attacks.perturbed import FINAL_SEARCH_STEPS, Perturbed, final_search, nearer
from robgan_tf.attacks.samples import keep_where, put, shapes_of_any_batch, start_at_distance
from robgan_tf.choices import NORMS
from robgan_tf.typing import LogitsFunction

# The paper's constants: the most that the original weighs in a step, by how much a step goes beyond
# the hyperplane, how far from the original a step back from an adversarial image ends.
MOST_OF_ORIGINAL, OVERSHOOT, STEP_BACK = 0.1, 1.05, 0.9


class _Batch(NamedTuple):
    """The samples that are searched, all [M, ...].

    Attributes:
      originals: images.
      labels: classes.
      targets: classes to be taken for; with the untargeted attack, the labels.
      current: where the next step begins.
      best: the nearest adversarial images so far.
    """

    originals: tf.Tensor
    labels: tf.Tensor
    targets: tf.Tensor
    current: tf.Tensor
    best: Perturbed


class FAB:
    """Looks for the nearest misclassified image; within a radius, it succeeds where that is near.

    A step goes a little beyond the hyperplane on which two logits would be equal if they were
    linear, to a mean of the nearest points to where it is and to the original; from each success it
    goes back towards the original (algorithm 1). Once an adversarial image is within the radius,
    its sample is done and leaves the batch. In the end three secant steps between each original
    and its adversarial image look for a nearer one.

    A step costs two forward passes and one backward pass with a target; without, a backward
    pass for each wrong class. Only gradients with respect to images are computed.

    Args:
      epsilon: radius within which it succeeds, on images in [-1, 1] (8/255 of the [0, 1] scale is
        0.0627); random starts are at half of it.
      steps: number of steps; 0 is no attack and costs nothing.
      norm: "linf", "l2" or "l1".
      restarts: number of runs (for each target class); all but the first begin at random.
      target_classes: number of wrong classes to try one by one, the most likely first (FAB-T);
        None to step to the nearest hyperplane of all wrong classes each time.

    Raises:
      ValueError: if the norm does not exist or a number makes no sense.
    """

    def __init__(
        self,
        epsilon: float,
        steps: int = 100,
        norm: str = "linf",
        restarts: int = 1,
        target_classes: int | None = None,
    ) -> None:
        _check(epsilon, norm, restarts, target_classes)
        check_not_negative("FAB", steps=steps)
        self.epsilon = epsilon
        self.steps = steps
        self.norm = norm
        self.restarts = restarts
        self.target_classes = target_classes
        self._norm: Norm = NORMS.get(norm)
        self._does_nothing = steps == 0 or epsilon == 0

    @property
    def name(self) -> str:
        """What reports call the attack."""
        return "fab" if self.target_classes is None else "fab-t"

    @property
    def rounds(self) -> int:
        """Number of separate runs: one for each start and target class."""
        return self.restarts * (self.target_classes or 1)

    @property
    def queries(self) -> int:
        """Forward passes of a round for an image at most: the clean one, steps, final search."""
        return 1 + 2 * self.steps + 2 + FINAL_SEARCH_STEPS if not self._does_nothing else 0

    @property
    def form(self) -> Hashable:
        """Norm and target classes; whether there is anything to do."""
        return self.norm, self.target_classes, self._does_nothing

    @property
    def numbers(self) -> tuple[float, ...]:
        """Radius, steps and restarts."""
        return float(self.epsilon), self.steps, self.restarts

    def with_numbers(self, numbers: Sequence[tf.Tensor]) -> Self:
        """The same attack with other numbers; see `attacks.search.NumberedSearch`."""
        changed = copy.copy(self)
        changed.epsilon, changed.steps, changed.restarts = numbers
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
          round_number: which of the `rounds`, from 0; an integer or a scalar int32 tensor. With
            target classes it attacks towards the class of rank `round_number // restarts`.

        Returns:
          Images of the same shape, with no gradient to anything: an adversarial one within the
          radius where the run found one, else the original.

        Raises:
          ValueError: if the logits have too few classes.
        """
        images = tf.convert_to_tensor(images)
        check_images("FAB", images)
        if self._does_nothing:
            return images
        radius = tf.cast(self.epsilon, images.dtype)
        found = self._run(logits_fn, images, labels, seeds, round_number, radius)
        within = per_sample(found.distances <= radius, images)
        return tf.stop_gradient(tf.where(within, found.images, images))

    def nearest(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor = 0,
    ) -> Perturbed:
        """Makes all steps of one run, whatever is found within the radius.

        Args, Raises: those of a call.

        Returns:
          The nearest adversarial images, within or beyond the radius, with no gradient.
        """
        images = tf.convert_to_tensor(images)
        check_images("FAB", images)
        radius = tf.zeros([], images.dtype)
        found = self._run(logits_fn, images, labels, seeds, round_number, radius)
        return tf.nest.map_structure(tf.stop_gradient, found)

    def _run(
        self,
        logits_fn: LogitsFunction,
        images: tf.Tensor,
        labels: tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor,
        radius: tf.Tensor,
    ) -> Perturbed:
        """The nearest adversarial images of a run; a sample ends once one is within `radius`."""
        labels = tf.convert_to_tensor(labels)
        clean = self._checked(logits_fn(images))
        targets = labels
        if self.target_classes is not None:
            targets = objectives.target_classes(clean, labels, round_number // self.restarts)
        wrong = objectives.is_fooled(clean, labels)
        distances = tf.where(wrong, tf.zeros([], images.dtype), float("inf"))
        start = self._start(images, seeds, round_number)
        batch = _Batch(images, labels, targets, start, Perturbed(images, distances))
        found = self._search(logits_fn, batch, radius)
        return Perturbed(
            tf.ensure_shape(found.images, images.shape), tf.ensure_shape(found.distances, [None])
        )

    def _checked(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the logits, if they have enough classes."""
        classes = logits.shape[-1]
        if classes is None or classes < 2:
            raise ValueError(
                "FAB needs logits with a known number of classes of at least 2, got "
                f"{'an unknown number' if classes is None else classes}"
            )
        if self.target_classes is not None and self.target_classes > classes - 1:
            raise ValueError(
                f"FAB.target_classes = {self.target_classes} is more than the wrong classes there "
                f"are; with {classes} classes it is at most {classes - 1}"
            )
        return logits

    def _start(
        self, images: tf.Tensor, seeds: tf.Tensor, round_number: int | tf.Tensor
    ) -> tf.Tensor:
        """Returns the images in the first run towards a class, random points near them later."""
        half = tf.cast(self.epsilon, images.dtype) / 2.0
        start = tf.cond(
            tf.equal(round_number % self.restarts, 0),
            lambda: images,
            lambda: start_at_distance(self._norm, images, half, seeds, round_number),
        )
        return tf.ensure_shape(start, images.shape)

    def _search(self, logits_fn: LogitsFunction, batch: _Batch, radius: tf.Tensor) -> Perturbed:
        """Makes all steps and the final search, while there are samples that are not done."""

        def without_done(
            batch: _Batch, numbers: tf.Tensor, found: Perturbed
        ) -> tuple[_Batch, tf.Tensor, Perturbed]:
            done = batch.best.distances <= radius
            return tf.cond(
                tf.reduce_any(done),
                lambda: _without(done, batch, numbers, found),
                lambda: (batch, numbers, found),
            )

        def body(
            number: tf.Tensor, batch: _Batch, numbers: tf.Tensor, found: Perturbed
        ) -> tuple[tf.Tensor, _Batch, tf.Tensor, Perturbed]:
            batch = self._move(logits_fn, batch)
            return number + 1, *without_done(batch, numbers, found)

        numbers = tf.range(tf.shape(batch.originals)[0])
        first = (0, *without_done(batch, numbers, batch.best))
        _, batch, numbers, found = tf.while_loop(
            lambda number, _, numbers, __: (number < self.steps) & (tf.size(numbers) > 0),
            body,
            first,
            shape_invariants=(tf.TensorShape([]), *shapes_of_any_batch(first[1:])),
        )
        best = final_search(logits_fn, batch.originals, batch.labels, batch.best, self._norm)
        return _put(found, numbers, best)

    def _move(self, logits_fn: LogitsFunction, batch: _Batch) -> _Batch:
        """Makes one step, keeps what it finds and steps back from it."""
        normals, values = self._hyperplanes(logits_fn, batch)
        moved = step(batch.current, batch.originals, normals, values, self.norm)
        fooled = objectives.is_fooled(logits_fn(moved), batch.labels)
        change = moved - batch.originals
        distances = self._norm.norm(change)
        best = nearer(fooled, moved, distances, batch.best)
        back = tf.where(per_sample(fooled, moved), batch.originals + STEP_BACK * change, moved)
        return batch._replace(current=back, best=best)

    def _hyperplanes(self, logits_fn: LogitsFunction, batch: _Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Normals [M, ...] and values [M] of the linear functions that the steps aim at 0."""
        current, labels = batch.current, batch.labels
        if self.target_classes is None:
            normals, values = linear_boundary.nearest(logits_fn, current, labels, self.norm)
        else:
            normals, values = linear_boundary.towards(logits_fn, current, labels, batch.targets)
        # One value that is not finite would take its whole image with it.
        finite = tf.math.is_finite(values) & tf.reduce_all(tf.math.is_finite(flat(normals)), axis=1)
        return (
            tf.where(per_sample(finite, normals), normals, 0.0),
            tf.where(finite, values, 0.0),
        )


def step(
    current: tf.Tensor, originals: tf.Tensor, normals: tf.Tensor, values: tf.Tensor, norm: str
) -> tf.Tensor:
    """One step of FAB (algorithm 1), towards where linear functions are 0.

    Args:
      current: [N, ...] images in [-1, 1], where the step begins.
      originals: [N, ...] images in [-1, 1].
      normals: [N, ...] gradients of the linear functions.
      values: [N], the functions at `current`.
      norm: name of the norm in which the nearest points of the hyperplanes are meant.

    Returns:
      [N, ...] images in [-1, 1].
    """
    values = tf.convert_to_tensor(values)
    begin, origin, slopes = flat(current), flat(originals), flat(normals)
    values_of_origin = values + tf.reduce_sum(slopes * (origin - begin), axis=1)
    change = hyperplane.project(begin, slopes, values, norm)
    change_of_origin = hyperplane.project(origin, slopes, values_of_origin, norm)
    far, far_from_origin = NORMS.get(norm).norm(change), NORMS.get(norm).norm(change_of_origin)
    weight = tf.math.divide_no_nan(far, far + far_from_origin)
    weight = tf.minimum(weight, MOST_OF_ORIGINAL)[:, None]
    moved = (begin + OVERSHOOT * change) * (1.0 - weight)
    moved += (origin + OVERSHOOT * change_of_origin) * weight
    return tf.reshape(clip_to_box(moved), tf.shape(current))


def _without(
    done: tf.Tensor, batch: _Batch, numbers: tf.Tensor, found: Perturbed
) -> tuple[_Batch, tf.Tensor, Perturbed]:
    """Takes samples out of the batch.

    Args:
      done: bool [M], which.
      batch: a _Batch of M samples.
      numbers: [M], their positions in the whole batch.
      found: results of the whole batch.

    Returns:
      The three without them, their results put into `found`.
    """
    found = _put(found, *keep_where(done, (numbers, batch.best)))
    return *keep_where(~done, (batch, numbers)), found


def _put(found: Perturbed, numbers: tf.Tensor, values: Perturbed) -> Perturbed:
    return tf.nest.map_structure(lambda whole, part: put(whole, numbers, part), found, values)


def _check(epsilon: float, norm: str, restarts: int, target_classes: int | None) -> None:
    check_ball("FAB", epsilon, norm)
    if norm not in hyperplane.NORMS:
        raise ValueError(
            f"FAB knows no hyperplanes in the norm {norm!r}; choose {' or '.join(hyperplane.NORMS)}"
        )
    if restarts < 1:
        raise ValueError(f"FAB.restarts must be at least 1, got {restarts}")
    if target_classes is not None and target_classes < 1:
        raise ValueError(f"FAB.target_classes must be at least 1, got {target_classes}")
