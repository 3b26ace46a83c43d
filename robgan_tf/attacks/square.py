"""The Square attack: random search that sees only logits (Andriushchenko et al., ECCV 2020).

It needs no gradient, so a model that merely hides its gradient does not withstand it.
"""

import copy
from collections.abc import Hashable, Sequence
from typing import Self

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.ball import check_ball, check_images, check_not_negative, per_sample
from robgan_tf.attacks.objectives import margin
from robgan_tf.attacks.per_sample_random import uniform
from robgan_tf.attacks.square_l1 import L1Moves
from robgan_tf.attacks.square_l2 import L2Moves
from robgan_tf.attacks.square_linf import LInfinityMoves
from robgan_tf.attacks.square_windows import HALVED_AFTER
from robgan_tf.typing import LogitsFunction

SCHEDULED_QUERIES = 10_000


class SquareSearch:
    """Maximises the margin within a ball around each image and within [-1, 1], by trial.

    A query changes the perturbation within one square and the change stays if the margin rises.
    A sample whose margin is positive is fooled and changes no more; one that is fooled without
    an attack is returned as it is.

    Args:
      epsilon: radius of the ball, on images in [-1, 1] (8/255 of the [0, 1] scale is 0.0627).
      queries: number of perturbed images tried per sample and round, the start included; the
        look at the original image is not counted. 0 is no attack and costs nothing.
      norm: name of the norm, "linf", "l2" or "l1".
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
            known = ", ".join(_MOVES)
            raise ValueError(
                f"SquareSearch knows no moves in the norm {norm!r}; choose one of {known}"
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


_MOVES: dict[str, type[LInfinityMoves] | type[L2Moves] | type[L1Moves]] = {
    "linf": LInfinityMoves,
    "l2": L2Moves,
    "l1": L1Moves,
}


MOVES_IN = tuple(_MOVES)  # The norms that it knows.


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
