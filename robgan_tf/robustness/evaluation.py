"""Accuracy under attack: every image, attack after attack on what survives, resumable."""

import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats
import tensorflow as tf

from robgan_tf.attacks.search import AttackSearch
from robgan_tf.errors import UserError, first_line, one_line
from robgan_tf.files import read_npz, write_atomically
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.gradients import MOST_NOT_FINITE, GradientCounts
from robgan_tf.typing import PathLike

# A part is what an interrupted evaluation does again.
PART_SIZE = 500
WRONG_WHEN_CLEAN = "clean"
SURVIVED = ""


@dataclasses.dataclass(frozen=True)
class Check:
    """One sign of masked gradients (`masking.masking_report`).

    Attributes:
      name: what holds for an honest model.
      passed: whether it holds.
      figures: what was measured, one line.
    """

    name: str
    passed: bool
    figures: str


@dataclasses.dataclass(frozen=True)
class MaskingReport:
    """The signs of masked gradients of one model.

    Attributes:
      images: one line on the images that the figures are of.
      checks: the signs; none where they were not wanted.
    """

    images: str = ""
    checks: Sequence[Check] = ()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What attacks at one radius did to N images.

    Attributes:
      predictions: int [N], predicted classes of the clean images; -1 where the logits are NaN.
      fooled_by: str [N]: the first attack that succeeded; "clean" where the clean image is
        misclassified already, "" where all attacks failed.
      adversarial: float32 [N, H, W, C]: the successful adversarial image, otherwise the last
        one that was tried; the image itself where it is misclassified clean.
      seconds: time that the attacks took.
    """

    predictions: np.ndarray
    fooled_by: np.ndarray
    adversarial: np.ndarray
    seconds: float

    @property
    def clean_correct(self) -> np.ndarray:
        """Whether the clean image is classified correctly, bool [N]."""
        return self.fooled_by != WRONG_WHEN_CLEAN

    @property
    def survived(self) -> np.ndarray:
        """Whether the image is classified correctly clean and under every attack, bool [N]."""
        return self.fooled_by == SURVIVED


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


class StoredEvaluation:
    """Outcomes of one evaluation on disk, part by part: what is there is not attacked again.

    Args:
      directory: where parts are kept; created if it does not exist.
      protocol: JSON-able dict of everything that determines the outcome.

    Raises:
      UserError: if the directory holds parts of another protocol.
    """

    def __init__(self, directory: PathLike, protocol: Mapping[str, Any]) -> None:
        self._directory = pathlib.Path(directory)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self._directory} cannot be written: {error.strerror}; give another --output_dir"
            ) from error
        path = self._directory / "protocol.json"
        protocol = json.loads(json.dumps(protocol))
        if path.exists():
            stored = read_object(path, MEASURE_ANEW)
            different = sorted(
                name for name in {*stored, *protocol} if stored.get(name) != protocol.get(name)
            )
            if different:
                raise UserError(
                    f"{self._directory} holds an evaluation that differs in "
                    f"{', '.join(different)}: give another --name"
                )
        else:
            write_atomically(path, json.dumps(protocol, indent=1) + "\n")

    def outcome(self, key: str, part: int, compute: Callable[[], Outcome]) -> Outcome:
        """Returns a part's Outcome: the stored one, or what `compute` returns, then stored.

        Args:
          key: name of the radius.
          part: number of the part.
          compute: function without arguments that returns an Outcome.

        Raises:
          UserError: if the stored one cannot be read.
        """
        path = self._directory / f"{key}_part_{part:04d}.npz"
        if path.exists():
            return _read_outcome(path)
        outcome = compute()
        write_atomically(path, lambda file: np.savez(file, **vars(outcome)))
        return outcome

    def masking(self, compute: Callable[[], MaskingReport] | None) -> MaskingReport:
        """Returns the stored masking report, or else the one that `compute` returns.

        Args:
          compute: function without arguments that returns a MaskingReport, then stored; None
            where it is not wanted.
        """
        path = self._directory / "masking.json"
        if path.exists():
            return _read_masking(path)
        if compute is None:
            return MaskingReport()
        report = compute()
        write_atomically(path, json.dumps(dataclasses.asdict(report)))
        return report


def _read_outcome(path: pathlib.Path) -> Outcome:
    names = [field.name for field in dataclasses.fields(Outcome)]
    try:
        predictions, fooled_by, adversarial, seconds = read_npz(path, names).values()
        if not predictions.shape == fooled_by.shape == adversarial.shape[:1]:
            raise ValueError("its arrays are of different lengths")
        return Outcome(predictions, fooled_by, adversarial, float(seconds))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read: {first_line(error)}; remove it, and its images are attacked "
            "anew"
        ) from error


def _read_masking(path: pathlib.Path) -> MaskingReport:
    try:
        stored = json.loads(path.read_bytes())
        # Version 0.2.0 and before kept the signs alone, always of the first images.
        if isinstance(stored, list):
            stored = {"images": "The first images of the table above", "checks": stored}
        return MaskingReport(stored["images"], [Check(**check) for check in stored["checks"]])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}; {MEASURE_ANEW}") from error


def join(outcomes: Sequence[Outcome]) -> Outcome:
    """Joins the outcomes of the parts of a data set, in order."""
    return Outcome(
        np.concatenate([outcome.predictions for outcome in outcomes]),
        np.concatenate([outcome.fooled_by for outcome in outcomes]),
        np.concatenate([outcome.adversarial for outcome in outcomes]),
        sum(outcome.seconds for outcome in outcomes),
    )


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


def confidence_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share of `count` images.

    Args:
      share: in [0, 1].
      count: at least 1.

    Returns:
      (low, high) in [0, 1].
    """
    interval = scipy.stats.binomtest(round(share * count), count).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
