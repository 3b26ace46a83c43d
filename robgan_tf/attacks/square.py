"""The Square attack: random search that sees only logits (Andriushchenko et al., ECCV 2020).

It needs no gradient, so a model that merely hides its gradient does not withstand it.
"""

import copy
from collections.abc import Hashable, Sequence
from typing import Self

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.ball import (
    check_ball,
    check_images,
    check_not_negative,
    clip_to_box,
    per_sample,
)
from robgan_tf.attacks.norms.l2 import CHOICE as _L2
from robgan_tf.attacks.objectives import margin
from robgan_tf.attacks.per_sample_random import uniform
from robgan_tf.typing import LogitsFunction

# The share of an image that one query changes is halved after each of these queries of 10,000.
HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
SCHEDULED_QUERIES = 10_000

_SMALLEST_NORM = 1e-12


class SquareSearch:
    """Maximises the margin within a ball around each image and within [-1, 1], by trial.

    A query changes the perturbation within one square and the change stays if the margin rises.
    A sample whose margin is positive is fooled and changes no more; one that is fooled without
    an attack is returned as it is.

    Args:
      epsilon: radius of the ball, on images in [-1, 1] (8/255 of the [0, 1] scale is 0.0627).
      queries: number of perturbed images tried per sample and round, the start included; the
        look at the original image is not counted. 0 is no attack and costs nothing.
      norm: name of the norm, "linf" or "l2".
      initial_share: share of the image that the first squares cover, in (0, 1].
      restarts: number of rounds with other random numbers that a caller should make.
      schedule_queries: of how many queries the schedule of squares is, whatever part of it is made;
        None for `queries`, all of it, as in Square's own paper. AutoAttack makes the first 5,000
        queries of a schedule of 10,000 (`SCHEDULED_QUERIES`).

    Raises:
      ValueError: if epsilon or the number of queries is negative, an L-infinity epsilon is above
        2, the share is not in (0, 1], there is no round, or the norm does not exist.
    """

    name = "square"

    def __init__(
        self,
        epsilon: float,
        queries: int = 5000,
        norm: str = "linf",
        initial_share: float = 0.8,
        restarts: int = 1,
        schedule_queries: int | None = None,
    ) -> None:
        check_ball("SquareSearch", epsilon, norm)
        if norm not in _MOVES:
            raise ValueError(
                f"SquareSearch knows no moves in the norm {norm!r}; choose {' or '.join(_MOVES)}"
            )
        check_not_negative("SquareSearch", queries=queries)
        _check(initial_share, restarts, schedule_queries)
        self.epsilon = epsilon
        self.queries = queries
        self.norm = norm
        self.initial_share = initial_share
        self.restarts = restarts
        self.schedule_queries = schedule_queries
        self._does_nothing = epsilon == 0 or queries == 0

    @property
    def rounds(self) -> int:
        """Number of calls, each with its own `round_number`, that make up the attack."""
        return self.restarts

    @property
    def form(self) -> Hashable:
        """Norm and squares; whether there is anything to try."""
        return self.norm, self.initial_share, self.schedule_queries, self._does_nothing

    @property
    def numbers(self) -> tuple[float, ...]:
        """Radius and number of queries."""
        return float(self.epsilon), self.queries

    def with_numbers(self, numbers: Sequence[tf.Tensor]) -> Self:
        """The same attack with other numbers; see `attacks.search.NumberedSearch`."""
        changed = copy.copy(self)
        changed.epsilon, changed.queries = numbers
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
          logits_fn: function from images [N, H, W, C] to logits [N, K]. It should run its model
            in inference mode.
          images: [N, H, W, C] floats in [-1, 1], H == W.
          labels: [N] integers in [0, K).
          seeds: int32 [N, 2], one seed a sample, which makes each result independent of the
            batch it is in.
          round_number: another number gives other random numbers.

        Returns:
          Adversarial images of the same shape, with no gradient to anything.

        Raises:
          ValueError: if the images are not square.
        """
        images = tf.convert_to_tensor(images)
        check_images("SquareSearch", images)
        _check_square(images)
        if self._does_nothing:
            return images
        moves = _MOVES[self.norm](images, self.epsilon, self.initial_share)

        def margins_of(candidates: tf.Tensor) -> tf.Tensor:
            return margin(logits_fn(candidates), labels)

        start = moves.start(uniform(seeds, round_number, 0, moves.start_lanes))
        # Without this a start that happens to repair a wrong prediction would undo an error.
        start = _where_sample(margins_of(images) > 0, images, start)

        def try_one(
            query: tf.Tensor, attacked: tf.Tensor, margins: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            draws = uniform(seeds, round_number, query, moves.lanes)
            proposal = moves.propose(attacked, draws, self._stage(query))
            proposed_margins = margins_of(proposal)
            accepted = (margins <= 0) & (proposed_margins > margins)
            attacked = _where_sample(accepted, proposal, attacked)
            return query + 1, attacked, tf.where(accepted, proposed_margins, margins)

        _, attacked, _ = tf.while_loop(
            lambda query, attacked, margins: (query < self.queries) & tf.reduce_any(margins <= 0),
            try_one,
            (tf.constant(1), start, margins_of(start)),
            shape_invariants=(tf.TensorShape([]), images.shape, tf.TensorShape([None])),
        )
        return tf.stop_gradient(attacked)

    def stages(self) -> np.ndarray:
        """Returns how often the share has been halved at each query, integers [queries]."""
        return np.asarray(self._stage(tf.range(self.queries)))

    def shares(self) -> np.ndarray:
        """Returns the share of the image that each query changes, [queries]."""
        return self.initial_share / 2.0 ** self.stages()

    def _stage(self, query: tf.Tensor) -> tf.Tensor:
        """Returns how often the share has been halved at a query, int32 like `query`."""
        of_queries = self.queries if self.schedule_queries is None else self.schedule_queries
        return _stage(query, of_queries)


def _stage(query: tf.Tensor, queries: int | tf.Tensor) -> tf.Tensor:
    """Returns how often the share has been halved at a query of so many, int32 like `query`."""
    scaled = tf.cast(query, tf.int64) * SCHEDULED_QUERIES // tf.cast(queries, tf.int64)
    halved = scaled[..., None] > tf.constant(HALVED_AFTER, tf.int64)
    return tf.reduce_sum(tf.cast(halved, tf.int32), axis=-1)


class _LInfinityMoves:
    """Starts with vertical stripes; a query sets a square to +-epsilon, one sign per channel."""

    def __init__(self, images: tf.Tensor, epsilon: float | tf.Tensor, initial_share: float) -> None:
        _, _, self._size, self._channels = images.shape
        self._lowest, self._highest = clip_to_box(images - epsilon), clip_to_box(images + epsilon)
        self._sides = tf.constant(square_sides(initial_share, self._size, least=1))
        self.start_lanes = self._size * self._channels
        self.lanes = 2 + self._channels

    def start(self, draws: tf.Tensor) -> tf.Tensor:
        up = tf.reshape(draws < 0.5, [-1, 1, self._size, self._channels])
        return tf.where(up, self._highest, self._lowest)

    def propose(self, attacked: tf.Tensor, draws: tf.Tensor, stage: tf.Tensor) -> tf.Tensor:
        # A step of 2 epsilon from anywhere in the ball, projected, ends at its edge.
        side = self._sides[stage]
        rows, columns = tf.unstack(_corners(draws[:, :2], side, self._size), axis=1)
        inside = _inside(_offsets(rows, self._size), _offsets(columns, self._size), side)
        up = draws[:, None, None, 2:] < 0.5
        return tf.where(inside, tf.where(up, self._highest, self._lowest), attacked)


class _L2Moves:
    """Starts with tiles of `eta`; a query moves perturbation from one window to another."""

    _tiles = 5  # A side; fewer where the image is too small for them.

    def __init__(self, images: tf.Tensor, epsilon: float | tf.Tensor, initial_share: float) -> None:
        _, _, self._size, self._channels = images.shape
        self._images = images
        self._epsilon = tf.cast(epsilon, images.dtype)
        sides = square_sides(initial_share, self._size, least=3)
        self._sides = tf.constant(sides)
        self._outside = max(sides)  # A row and column of zeros that pads all patches.
        self._patches = tf.constant(_padded_patches(sides), images.dtype)
        self._tile = -(-self._size // self._tiles)
        self._grid = -(-self._size // self._tile)
        self.start_lanes = self._grid**2 * (1 + self._channels)
        self.lanes = 5 + self._channels

    def start(self, draws: tf.Tensor) -> tf.Tensor:
        draws = tf.reshape(draws, [-1, self._grid, self._grid, 1 + self._channels])
        draws = tf.repeat(tf.repeat(draws, self._tile, axis=1), self._tile, axis=2)
        draws = draws[:, : self._size, : self._size]
        plain = np.tile(eta(self._tile), [self._grid, self._grid])[: self._size, : self._size]
        plain = tf.constant(plain[:, :, None], self._images.dtype)
        tiles = tf.where(draws[..., :1] < 0.5, plain, tf.transpose(plain, [1, 0, 2]))
        tiles *= self._signs(draws[..., 1:])
        # All channels of a tile have the same patch, so they share the ball equally.
        return self._within_ball_and_box(_unit(tiles) * self._epsilon / self._channels**0.5)

    def propose(self, attacked: tf.Tensor, draws: tf.Tensor, stage: tf.Tensor) -> tf.Tensor:
        """Makes one proposal (the paper's algorithm 3).

        The first window takes over its own and the second's share of the squared length, and
        what the ball leaves unused, in the direction of its old content plus a signed patch.
        """
        side = self._sides[stage]
        corners = tf.unstack(_corners(draws[:, :4], side, self._size), axis=1)
        first_rows, first_columns, second_rows, second_columns = (
            _offsets(corner, self._size) for corner in corners
        )
        first = _inside(first_rows, first_columns, side)
        second = _inside(second_rows, second_columns, side)
        patch = self._patch(first_rows, first_columns, side, stage, turned=draws[:, 4] < 0.5)
        patch = patch[..., None] * self._signs(draws[:, None, None, 5:])

        perturbation = attacked - self._images
        unused = tf.nn.relu(self._epsilon**2 - _total_energy(perturbation)) / self._channels
        freed = tf.where(first | second, perturbation, 0.0)
        direction = _unit(patch + _unit(tf.where(first, perturbation, 0.0)))
        moved = perturbation - freed + direction * tf.sqrt(_energy(freed) + unused)
        return self._within_ball_and_box(moved)

    def _patch(
        self,
        rows: tf.Tensor,
        columns: tf.Tensor,
        side: tf.Tensor,
        stage: tf.Tensor,
        turned: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the unit patch of a stage at its place in each image, [N, H, W]."""
        rows, columns = (
            tf.where((offsets >= 0) & (offsets < side), offsets, self._outside)
            for offsets in (rows, columns)
        )
        rows, columns = rows[:, :, None], columns[:, None, :]
        width = self._outside + 1
        index = tf.where(turned[:, None, None], columns * width + rows, rows * width + columns)
        return tf.gather(self._patches[stage], index)

    def _signs(self, draws: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.where(draws < 0.5, 1.0, -1.0), self._images.dtype)

    def _within_ball_and_box(self, perturbation: tf.Tensor) -> tf.Tensor:
        # Not by `_total_energy`, whose error in large images is more than the ball's edge allows.
        # A product, because graphs divide by a radius that they know before in this way too.
        excess = per_sample(_L2.norm(perturbation), perturbation) * tf.math.reciprocal(
            self._epsilon
        )
        excess = tf.maximum(excess, 1.0)
        # Clipping brings every pixel nearer to the image, so it keeps to the ball.
        return clip_to_box(self._images + perturbation / excess)


_MOVES: dict[str, type[_LInfinityMoves] | type[_L2Moves]] = {
    "linf": _LInfinityMoves,
    "l2": _L2Moves,
}


MOVES_IN = tuple(_MOVES)  # The norms that it knows.


def square_sides(initial_share: float, size: int, least: int) -> list[int]:
    """Sides of the squares at each stage of the schedule.

    Args:
      initial_share: share of the image that the first squares cover.
      size: side of the image.
      least: the smallest side, where the image is large enough for it.

    Returns:
      A list of integers from 1 to size - 1, one per stage.
    """
    shares = [initial_share / 2**stage for stage in range(len(HALVED_AFTER) + 1)]
    sides = [max(round(size * share**0.5), least) for share in shares]
    return [max(min(side, size - 1), 1) for side in sides]


def eta(side: int) -> np.ndarray:
    """The patch of the L2 attack (equation (2)): two bumps of opposite sign side by side.

    Args:
      side: rows and columns.

    Returns:
      float64 [side, side] of length 1.
    """
    left = side // 2
    patch = np.concatenate([_bump(side, left), -_bump(side, side - left)], axis=1)
    return patch / np.linalg.norm(patch)


def _bump(height: int, width: int) -> np.ndarray:
    # In the paper a sum of 1 / (n + 1 - k)^2 over k up to n - distance; here over j = n + 1 - k.
    n = height // 2
    rows, columns = abs(np.arange(height) - n), abs(np.arange(width) - width // 2)
    by_distance = np.cumsum(1.0 / np.arange(n + 1, 0, -1) ** 2)[::-1]
    return by_distance[np.maximum(rows[:, None], columns[None, :])]


def _padded_patches(sides: Sequence[int]) -> np.ndarray:
    """Returns `eta` of each side, followed by zeros up to the largest + 1, [stages, values]."""
    most = max(sides) + 1
    padded = [np.pad(eta(side), (0, most - side)) for side in sides]
    return np.reshape(padded, [len(sides), most**2])


def _corners(draws: tf.Tensor, side: tf.Tensor, size: int) -> tf.Tensor:
    """Returns uniform first rows or columns of squares within the image, int32."""
    return tf.cast(draws * tf.cast(size - side + 1, draws.dtype), tf.int32)


def _offsets(corners: tf.Tensor, size: int) -> tf.Tensor:
    """Returns how far each row (or column) of an image is from its square's first, [N, size]."""
    return tf.range(size) - corners[:, None]


def _inside(row_offsets: tf.Tensor, column_offsets: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Returns whether each pixel is in its image's square, [N, H, W, 1]."""
    rows, columns = ((offsets >= 0) & (offsets < side) for offsets in (row_offsets, column_offsets))
    return rows[:, :, None, None] & columns[:, None, :, None]


def _energy(perturbation: tf.Tensor) -> tf.Tensor:
    """Returns the squared length of each channel, [N, 1, 1, C]."""
    return tf.reduce_sum(perturbation**2, axis=[1, 2], keepdims=True)


def _total_energy(perturbation: tf.Tensor) -> tf.Tensor:
    """Returns the squared length of each sample, [N, 1, 1, 1]."""
    return tf.reduce_sum(_energy(perturbation), axis=3, keepdims=True)


def _unit(perturbation: tf.Tensor) -> tf.Tensor:
    """Returns each channel scaled to length 1 (zero where it is zero)."""
    # Graphs replace x / sqrt(y) and 1 / y by approximate functions whose last bit depends on the
    # place in the batch, so no expression in this file may have one of these forms.
    return perturbation / tf.maximum(tf.sqrt(_energy(perturbation)), _SMALLEST_NORM)


def _where_sample(condition: tf.Tensor, images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    return tf.where(per_sample(condition, images), images, others)


def _check_square(images: tf.Tensor) -> None:
    if images.shape[1] != images.shape[2]:
        raise ValueError(f"SquareSearch needs square images, got {tuple(images.shape)}")


def _check(initial_share: float, restarts: int, schedule_queries: int | None) -> None:
    if not 0 < initial_share <= 1:
        raise ValueError(f"SquareSearch.initial_share must be in (0, 1], got {initial_share}")
    if restarts < 1:
        raise ValueError(f"SquareSearch.restarts must be at least 1, got {restarts}")
    if schedule_queries is not None and schedule_queries < 1:
        raise ValueError(
            f"SquareSearch.schedule_queries must be at least 1, got {schedule_queries}"
        )
