"""FAB: the smallest perturbation that fools, over linear models of the boundary (Croce and Hein).

"Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML 2020; targeted
as in "Reliable evaluation of adversarial robustness", ICML 2020 (AutoAttack).
"""

import copy
from collections.abc import Hashable, Sequence
from typing import NamedTuple, Self, TypeVar

import tensorflow as tf

from robgan_tf.attacks import hyperplane, objectives
from robgan_tf.attacks.ball import (
    check_ball,
    check_images,
    check_not_negative,
    clip_to_box,
    flat,
    per_sample,
)
from robgan_tf.attacks.norm import Norm
from robgan_tf.attacks.samples import keep_where, put, shapes_of_any_batch, start_at_distance
from robgan_tf.choices import NORMS
from robgan_tf.typing import LogitsFunction

# The paper's constants: the most that the original weighs in a step, by how much a step goes beyond
# the hyperplane, how far from the original a step back from an adversarial image ends.
MOST_OF_ORIGINAL, OVERSHOOT, STEP_BACK = 0.1, 1.05, 0.9
FINAL_SEARCH_STEPS = 3

_Samples = TypeVar("_Samples", bound=tuple[tf.Tensor, ...])


class Perturbed(NamedTuple):
    """The nearest adversarial images found.

    Attributes:
      images: [N, ...]; the originals where there is none.
      distances: [N] in the norm of the attack, on [-1, 1]; 0 where the original is misclassified,
        infinite where no adversarial image was found.
    """

    images: tf.Tensor
    distances: tf.Tensor


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
        best = self._final_search(logits_fn, batch)
        return _put(found, numbers, best)

    def _move(self, logits_fn: LogitsFunction, batch: _Batch) -> _Batch:
        """Makes one step, keeps what it finds and steps back from it."""
        normals, values = self._hyperplanes(logits_fn, batch)
        moved = step(batch.current, batch.originals, normals, values, self.norm)
        fooled = objectives.is_fooled(logits_fn(moved), batch.labels)
        change = moved - batch.originals
        distances = self._norm.norm(change)
        best = _nearer(fooled & (distances < batch.best.distances), moved, distances, batch.best)
        back = tf.where(per_sample(fooled, moved), batch.originals + STEP_BACK * change, moved)
        return batch._replace(current=back, best=best)

    def _hyperplanes(self, logits_fn: LogitsFunction, batch: _Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Normals [M, ...] and values [M] of the linear functions that the steps aim at 0."""
        of_boundary = _nearest_hyperplanes if self.target_classes is None else _towards
        normals, values = of_boundary(logits_fn, batch, self.norm)
        # One value that is not finite would take its whole image with it.
        finite = tf.math.is_finite(values) & tf.reduce_all(tf.math.is_finite(flat(normals)), axis=1)
        return (
            tf.where(per_sample(finite, normals), normals, 0.0),
            tf.where(finite, values, 0.0),
        )

    def _final_search(self, logits_fn: LogitsFunction, batch: _Batch) -> Perturbed:
        """Secant steps on the segment from each original to its adversarial image."""
        return tf.cond(
            tf.reduce_any(tf.math.is_finite(batch.best.distances) & (batch.best.distances > 0)),
            lambda: self._secants(logits_fn, batch),
            lambda: batch.best,
        )

    def _secants(self, logits_fn: LogitsFunction, batch: _Batch) -> Perturbed:
        def narrow(
            number: tf.Tensor, inner: _Seen, outer: _Seen, best: Perturbed
        ) -> tuple[tf.Tensor, _Seen, _Seen, Perturbed]:
            share = per_sample(_crossing(inner.logits, outer.logits, batch.labels), inner.images)
            images = inner.images * (1.0 - share) + outer.images * share
            between = _Seen(images, logits_fn(images))
            fooled = objectives.is_fooled(between.logits, batch.labels)
            distances = self._norm.norm(images - batch.originals)
            best = _nearer(fooled & (distances < best.distances), images, distances, best)
            return (
                number + 1,
                _choose(fooled, inner, between),
                _choose(fooled, between, outer),
                best,
            )

        inner, outer = (
            _Seen(images, logits_fn(images)) for images in (batch.originals, batch.best.images)
        )
        *_, best = tf.while_loop(
            lambda number, *_: number < FINAL_SEARCH_STEPS, narrow, (0, inner, outer, batch.best)
        )
        return best


class _Seen(NamedTuple):
    """Images [M, ...] and their logits [M, K]."""

    images: tf.Tensor
    logits: tf.Tensor


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


def _towards(logits_fn: LogitsFunction, batch: _Batch, norm: str) -> tuple[tf.Tensor, tf.Tensor]:
    """The logit of the target less that of the label: gradients [M, ...] and values [M]."""
    del norm
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(batch.current)
        logits = logits_fn(batch.current)
        values = _of_class(logits, batch.targets) - _of_class(logits, batch.labels)
    return tape.gradient(values, batch.current, unconnected_gradients="zero"), values


def _nearest_hyperplanes(
    logits_fn: LogitsFunction, batch: _Batch, norm: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """The same of the wrong class whose hyperplane is nearest in the norm.

    One backward pass a wrong class, on one forward pass; one gradient is kept.
    """
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(batch.current)
        logits = logits_fn(batch.current)
    own = _of_class(logits, batch.labels)

    def look(
        rank: tf.Tensor, normals: tf.Tensor, values: tf.Tensor, nearest: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        wrong = tf.cast(rank, batch.labels.dtype)
        wrong += tf.cast(wrong >= batch.labels, batch.labels.dtype)
        upstream = _one_hot(wrong, logits) - _one_hot(batch.labels, logits)
        gradient = tape.gradient(
            logits, batch.current, output_gradients=upstream, unconnected_gradients="zero"
        )
        difference = _of_class(logits, wrong) - own
        apart = hyperplane.distances(flat(gradient), difference, norm)
        nearer = apart < nearest
        return (
            rank + 1,
            tf.where(per_sample(nearer, normals), gradient, normals),
            tf.where(nearer, difference, values),
            tf.where(nearer, apart, nearest),
        )

    nowhere = tf.fill(tf.shape(own), tf.constant(float("inf"), own.dtype))
    _, normals, values, _ = tf.while_loop(
        lambda rank, *_: rank < logits.shape[-1] - 1,
        look,
        (0, tf.zeros_like(batch.current), tf.zeros_like(own), nowhere),
    )
    return normals, values


def _crossing(inner: tf.Tensor, outer: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Where on a segment the logit of the label would meet that of the class at the outer end.

    Args:
      inner: logits [M, K] where the label is predicted.
      outer: logits [M, K] where another class is.
      labels: [M].

    Returns:
      [M] in [0, 1], 0 at the inner end; 1 where they would not meet.
    """
    rivals = tf.argmax(outer, axis=1, output_type=labels.dtype)
    before = _of_class(inner, labels) - _of_class(inner, rivals)
    beyond = _of_class(outer, rivals) - _of_class(outer, labels)
    share = before / (before + beyond)
    return tf.where((share >= 0.0) & (share <= 1.0), share, 1.0)


def _nearer(
    better: tf.Tensor, images: tf.Tensor, distances: tf.Tensor, best: Perturbed
) -> Perturbed:
    return _choose(better, Perturbed(images, distances), best)


def _choose(condition: tf.Tensor, chosen: _Samples, otherwise: _Samples) -> _Samples:
    """Returns for each sample the one or the other."""
    return tf.nest.map_structure(
        lambda one, other: tf.where(per_sample(condition, one), one, other), chosen, otherwise
    )


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
    found = _put(found, tf.boolean_mask(numbers, done), keep_where(done, batch.best))
    return *keep_where(~done, (batch, numbers)), found


def _put(found: Perturbed, numbers: tf.Tensor, values: Perturbed) -> Perturbed:
    return tf.nest.map_structure(lambda whole, part: put(whole, numbers, part), found, values)


def _of_class(logits: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    return tf.gather(logits, classes, axis=1, batch_dims=1)


def _one_hot(classes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.one_hot(classes, logits.shape[-1], dtype=logits.dtype)


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
