"""What Auto-PGD carries from step to step, and what a rule of its steps has to know."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from robgan_tf.attacks.samples import choose, keep_where, put

# What the objective compares the logits with: labels [N], and targets [N] if any.
Goal = tuple[tf.Tensor, ...]


class Point(NamedTuple):
    """Where samples stand: all [N, ...]."""

    image: tf.Tensor
    gradient: tf.Tensor
    objective: tf.Tensor


# Looks at images [N, ...]: where they are, and whether they fool the model, [N].
Evaluate = Callable[[tf.Tensor, Goal], tuple[Point, tf.Tensor]]


class Search(NamedTuple):
    """What the attack carries from step to step, for each sample its own: all [N, ...].

    Attributes:
      current: where it stands.
      previous_image: where it stood a step before.
      best: what it returns if it ends now.
      fooled: whether the best fools the model.
      steps: what its `StepRule` keeps, a NamedTuple of tensors.
    """

    current: Point
    previous_image: tf.Tensor
    best: Point
    fooled: tf.Tensor
    steps: Any


class Batch(NamedTuple):
    """The samples that are searched.

    Attributes:
      images: [M, ...] the originals.
      goal: what the objective compares the logits with; labels [M] first.
      search: their Search.
    """

    images: tf.Tensor
    goal: Goal
    search: Search


class StepRule(abc.ABC):
    """Where Auto-PGD starts, how it steps, and when it changes the length of its steps."""

    @abc.abstractmethod
    def start(
        self,
        images: tf.Tensor,
        epsilon: float | tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor,
    ) -> tf.Tensor:
        """Returns random points of ball and box.

        Args:
          images: [N, ...] the originals, in [-1, 1].
          epsilon: radius.
          seeds: integers [N, 2], one seed a sample.
          round_number: another number gives other points.
        """

    @abc.abstractmethod
    def begin(self, images: tf.Tensor, start: Point, epsilon: float | tf.Tensor) -> Any:
        """Returns what the rule keeps before the first step, a NamedTuple of tensors [N].

        Args:
          images: [N, ...] the originals.
          start: where the search starts.
          epsilon: radius.
        """

    @abc.abstractmethod
    def move(
        self,
        images: tf.Tensor,
        search: Search,
        number: tf.Tensor,
        epsilon: float | tf.Tensor,
    ) -> tf.Tensor:
        """Returns the next images, [N, ...], in ball and box.

        Args:
          images: [N, ...] the originals.
          search: where it stands.
          number: of the step, from 0.
          epsilon: radius.
        """

    def count(self, steps: Any, before: Point, after: Point) -> Any:
        """Returns what the rule keeps after a step from one point to another."""
        del before, after
        return steps

    @abc.abstractmethod
    def adapt(
        self, images: tf.Tensor, search: Search, window: tf.Tensor, epsilon: float | tf.Tensor
    ) -> Search:
        """Returns the search after a look at how it goes.

        Args:
          images: [N, ...] the originals.
          search: after a step.
          window: number of steps since the last checkpoint; 0 where there is no checkpoint now,
            and nothing may change.
          epsilon: radius.
        """

    @abc.abstractmethod
    def checkpoints(self, steps: int) -> list[int]:
        """Returns after how many steps `adapt` looks, a rising list."""


def windows(checkpoints: list[int], steps: int) -> list[int]:
    """Returns for each step the length of the window that it ends, 0 where it ends none."""
    found, last = [0] * steps, 0
    for checkpoint in checkpoints:
        found[checkpoint - 1] = checkpoint - last
        last = checkpoint
    return found


def record(rule: StepRule, search: Search, point: Point, fooled: tf.Tensor) -> Search:
    """Returns the search at its next point.

    The first point that fools the model becomes the best for good: whatever the sample does
    afterwards has no effect on its result, so it does not matter how long its batch goes on.
    """
    better = ~search.fooled & (fooled | (point.objective > search.best.objective))
    return search._replace(
        current=point,
        previous_image=search.current.image,
        best=choose(better, point, search.best),
        fooled=search.fooled | fooled,
        steps=rule.count(search.steps, search.current, point),
    )


def without_fooled(
    batch: Batch, numbers: tf.Tensor, found: tf.Tensor
) -> tuple[Batch, tf.Tensor, tf.Tensor]:
    """Takes the samples that are fooled out of the batch.

    Args:
      batch: a Batch of M samples.
      numbers: [M], their positions in the whole batch.
      found: [N, ...] results of the whole batch.

    Returns:
      The three without them, their best images put into `found`.
    """
    fooled = batch.search.fooled
    found = put(found, *keep_where(fooled, (numbers, batch.search.best.image)))
    return *keep_where(~fooled, (batch, numbers)), found
