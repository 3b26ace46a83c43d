"""Accuracy under attack: every image, attack after attack on what survives, resumable."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.search import AttackSearch
from robgan_tf.errors import UserError
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.gradients import MOST_NOT_FINITE, GradientCounts
from robgan_tf.robustness.outcome import SURVIVED, WRONG_WHEN_CLEAN, Outcome
from robgan_tf.robustness.replicas import spread
from robgan_tf.robustness.standing import NOT_PREDICTED, Standing


class Watcher:
    """Sees an evaluation go on."""

    def begins(self, attack: AttackSearch, number: int, waiting: int) -> None:
        """Round `number` of an attack begins, on so many images."""

    def done(self, chosen: np.ndarray, fooled: int) -> None:
        """A batch, the images at positions `chosen`, is done; so many of it are fooled."""

    def ends(self) -> None:
        """A round, or the clean predictions, are done."""


class RobustnessEvaluation:
    """Runs attacks in order on the survivors and keeps the pointwise worst case.

    All images that an attack has left are packed together for the next one. The random numbers of
    an image depend on the seed and its number only, so neither batch size nor interruptions nor
    the number of devices and processes change a result.

    Args:
      compiled: the classifier; evaluations of one share what is compiled for it. Batches are
        spread over its devices and processes.
      attacks: attacks with `name`, `rounds` and the call of `PGDSearch`.
      batch_size: images attacked at a time, on each device.
      seed: of all random numbers.
      most_not_finite: share of the gradients that may be infinite or NaN; beyond it no figure
        is given.

    Attributes:
      gradients: the `GradientCounts` of all that the attacks followed.
      rounds: of all attacks together.
    """

    def __init__(
        self,
        compiled: CompiledClassifier,
        attacks: Sequence[AttackSearch],
        batch_size: int = 100,
        seed: int = 0,
        most_not_finite: float = MOST_NOT_FINITE,
    ) -> None:
        self._compiled = compiled
        self._attacks = attacks
        self._batch_size = batch_size
        self._seed = tf.constant(seed, tf.int64)
        self._most_not_finite = most_not_finite
        self._searches = [
            [compiled.search(attack, device) for device in range(compiled.devices)]
            for attack in attacks
        ]
        self._counted = compiled.gradients.counts
        self.gradients = GradientCounts()
        self.rounds = sum(attack.rounds for attack in attacks)

    def run(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        numbers: np.ndarray | None = None,
        standing: Standing | None = None,
        watchers: Sequence[Watcher] = (),
    ) -> Outcome:
        """Attacks images.

        Args:
          images: float32 array [N, H, W, C] in [-1, 1].
          labels: int array [N].
          numbers: int array [N] that tell the images apart in the whole data set; 0 to N - 1 if
            not given.
          standing: what an earlier evaluation of the same images knew; it is gone on with, in
            place.
          watchers: are told of every batch, in order.

        Returns:
          An Outcome.

        Raises:
          UserError: if the images are not in [-1, 1], or too many gradients are not finite.
        """
        check_images(images)
        labels = np.asarray(labels, np.int32)
        numbers = np.arange(len(images)) if numbers is None else np.asarray(numbers)
        seeds = _seeds_of_images()(self._seed, numbers.astype(np.int32)).numpy()
        standing = Standing.before(images) if standing is None else standing
        self._predict(images, labels, standing, watchers)
        rounds_before = 0
        for attack, searches in zip(self._attacks, self._searches, strict=True):
            for number in range(attack.rounds):
                waiting = standing.waiting(rounds_before + number)
                for watcher in watchers:
                    watcher.begins(attack, number, len(waiting))
                for chosen, seconds, (found, fooled) in spread(
                    self._batches(waiting),
                    [
                        functools.partial(_search, search, images, labels, seeds, number)
                        for search in searches
                    ],
                    self._compiled.peers,
                    self._compiled.gradients,
                ):
                    standing.adversarial[chosen] = found
                    standing.fooled_by[chosen[fooled]] = attack.name
                    standing.rounds[chosen] = rounds_before + number + 1
                    standing.seconds[chosen] += seconds / len(chosen)
                    for watcher in watchers:
                        watcher.done(chosen, int(fooled.sum()))
                self._check_gradients()
                for watcher in watchers:
                    watcher.ends()
            rounds_before += attack.rounds
        return standing.outcome

    def _predict(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        standing: Standing,
        watchers: Sequence[Watcher],
    ) -> None:
        """Finds out which clean images are classified correctly, where that is not known."""
        for chosen, _, (predictions,) in spread(
            self._batches(np.flatnonzero(standing.rounds == NOT_PREDICTED)),
            [lambda chosen: (np.asarray(self._compiled.predict(images[chosen])),)],
            self._compiled.peers,
        ):
            standing.predictions[chosen] = predictions
            wrong = predictions != labels[chosen]
            standing.fooled_by[chosen] = np.where(wrong, WRONG_WHEN_CLEAN, SURVIVED)
            standing.rounds[chosen] = 0
            for watcher in watchers:
                watcher.done(chosen, int(wrong.sum()))
        self._counted = self._compiled.gradients.counts
        for watcher in watchers:
            watcher.ends()

    @property
    def sound(self) -> bool:
        """Whether as many gradients are finite as have to be, so far."""
        counts = self.gradients + (self._compiled.gradients.counts - self._counted)
        return counts.not_finite <= self._most_not_finite * counts.followed

    def _check_gradients(self) -> None:
        counts = self._compiled.gradients.counts
        self.gradients += counts - self._counted
        self._counted = counts
        self.gradients.check(self._compiled.classifier.name, self._most_not_finite)

    def _batches(self, positions: np.ndarray) -> list[np.ndarray]:
        return [
            positions[start : start + self._batch_size]
            for start in range(0, len(positions), self._batch_size)
        ]


def _search(
    search: Callable[..., tuple[tf.Tensor, tf.Tensor]],
    images: np.ndarray,
    labels: np.ndarray,
    seeds: np.ndarray,
    number: int,
    chosen: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """One round on the images at some positions: adversarial images, and whether each is fooled."""
    found, fooled = search(images[chosen], labels[chosen], seeds[chosen], tf.constant(number))
    return np.asarray(found), np.asarray(fooled)


def check_images(images: np.ndarray) -> None:
    """Raises UserError unless images lie in [-1, 1]."""
    lowest, highest = float(np.min(images)), float(np.max(images))
    if not (lowest >= -1.0 and highest <= 1.0):
        raise UserError(
            f"images from {lowest:g} to {highest:g} were given and [-1, 1] is needed: scale "
            "pixels of [0, 255] by p / 127.5 - 1"
        )


@functools.cache
def _seeds_of_images() -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function from seed, a scalar int64, and numbers, int32 [N], to seeds, int32 [N, 2]."""

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([], tf.int64), tf.TensorSpec([None], tf.int32)],
    )
    def seeds(seed: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda number: derive_seed(seed, Purpose.EVALUATION_ATTACK, number),
            numbers,
            fn_output_signature=tf.TensorSpec([2], tf.int32),
        )

    return seeds
