"""Accuracy under attack: every image, attack after attack on what survives, resumable."""

import functools
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.search import AttackSearch
from robgan_tf.errors import UserError
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.gradients import MOST_NOT_FINITE, GradientCounts
from robgan_tf.robustness.outcome import SURVIVED, WRONG_WHEN_CLEAN, Outcome


class RobustnessEvaluation:
    """Runs attacks in order on the survivors and keeps the pointwise worst case.

    The random numbers of an image depend on the seed and its number only, so neither batch size
    nor interruptions change a result.

    Args:
      compiled: the classifier; evaluations of one share what is compiled for it.
      attacks: attacks with `name`, `rounds` and the call of `PGDSearch`.
      batch_size: images attacked at a time.
      seed: of all random numbers.
      most_not_finite: share of the gradients that may be infinite or NaN; beyond it no figure
        is given.

    Attributes:
      gradients: the `GradientCounts` of all that the attacks followed.
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
        self.gradients = GradientCounts()
        self._searches = [compiled.search(attack) for attack in attacks]

    def run(
        self, images: np.ndarray, labels: np.ndarray, numbers: np.ndarray | None = None
    ) -> Outcome:
        """Attacks images.

        Args:
          images: float32 array [N, H, W, C] in [-1, 1].
          labels: int array [N].
          numbers: int array [N] that tell the images apart in the whole data set; 0 to N - 1 if
            not given.

        Returns:
          An Outcome.

        Raises:
          UserError: if the images are not in [-1, 1], or too many gradients are not finite.
        """
        check_images(images)
        start = time.perf_counter()
        labels = np.asarray(labels, np.int32)
        numbers = np.arange(len(images)) if numbers is None else np.asarray(numbers)
        seeds = _seeds_of_images()(self._seed, numbers.astype(np.int32)).numpy()
        predictions = np.concatenate(
            [
                np.asarray(self._compiled.predict(images[batch]))
                for batch in self._batches(len(images))
            ]
        )
        fooled_by = np.where(predictions == labels, SURVIVED, WRONG_WHEN_CLEAN).astype("<U32")
        adversarial = np.array(images, np.float32)
        before = self._compiled.gradients.counts
        for attack, search in zip(self._attacks, self._searches, strict=True):
            for number in range(attack.rounds):
                survivors = np.flatnonzero(fooled_by == SURVIVED)
                for part in self._batches(len(survivors)):
                    chosen = survivors[part]
                    found, fooled = search(
                        images[chosen], labels[chosen], seeds[chosen], tf.constant(number)
                    )
                    adversarial[chosen] = found
                    fooled_by[chosen[np.asarray(fooled)]] = attack.name
        self.gradients += self._compiled.gradients.counts - before
        self.gradients.check(self._compiled.classifier.name, self._most_not_finite)
        return Outcome(predictions, fooled_by, adversarial, time.perf_counter() - start)

    def _batches(self, count: int) -> list[slice]:
        return [
            slice(start, min(start + self._batch_size, count))
            for start in range(0, count, self._batch_size)
        ]


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
