"""One robustness evaluation from classifiers and images to files: what the command does."""

import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robgan_tf.attacks.protocol import make_attacks
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.data.batches import scale_images
from robgan_tf.data.sources import ImageSource
from robgan_tf.data.subsets import representative_rows
from robgan_tf.files import digest, write_atomically
from robgan_tf.reporting import format_duration, format_radius
from robgan_tf.robustness.asked import Protocol, choose_images, radius_key, stand_ins
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.input_range import range_warning
from robgan_tf.robustness.masking import Reported, masking_report
from robgan_tf.robustness.outcome import Outcome, join
from robgan_tf.robustness.signs import MaskingReport
from robgan_tf.robustness.soundness import keep_sound
from robgan_tf.robustness.stored import PART_SIZE, StoredEvaluation
from robgan_tf.robustness.subjects import Classifier, check_classifier
from robgan_tf.robustness.table import Row, markdown, per_sample_csv, summary
from robgan_tf.robustness.verification import VerificationError
from robgan_tf.typing import PathLike

MASKING_IMAGES = 200
# Outcomes of another are not continued. The first, up to 0.2.0, followed cross-entropy itself,
# whose gradient vanishes where logits are large.
VERSION_OF_ATTACKS = 2


class RobustnessRun:
    """Evaluates classifiers on the same images and writes table, JSON and per-sample files.

    Args:
      images: float32 [N, H, W, C] in [-1, 1].
      labels: int [N].
      locations: str [N], by which the images are found again, or None.
      numbers: int [N], positions in the whole split, which random numbers depend on.
      num_classes: classes of the data.
      description: one line on the images.
      protocol: a Protocol.

    Attributes:
      left_out: a line on each attack whose results were not sound, of all classifiers.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        locations: np.ndarray | None,
        numbers: np.ndarray,
        num_classes: int,
        description: str,
        protocol: Protocol,
    ) -> None:
        self._images = images
        self._labels = np.asarray(labels)
        self._locations = locations
        self._numbers = numbers
        self._num_classes = num_classes
        self._description = description
        self._protocol = protocol
        self.left_out: list[str] = []

    def evaluate(
        self, classifier: Classifier, directory: PathLike, name: str
    ) -> tuple[list[Row], MaskingReport]:
        """Evaluates one classifier, continuing where an earlier evaluation was interrupted.

        Args:
          classifier: a Classifier.
          directory: where `<name>.json`, `.md`, `_samples.csv` and the parts go.
          name: of the files.

        Returns:
          (rows as from `summary`, a MaskingReport).

        Raises:
          UserError: if the classifier or the directory cannot be used.
          VerificationError: if a result does not stand up to recomputation.
        """
        directory = pathlib.Path(directory)
        num_classes = check_classifier(classifier, self._images, self._num_classes)
        attacks = {
            epsilon: make_attacks(self._protocol.attack, epsilon, self._protocol.norm, num_classes)
            for epsilon in self._protocol.radii
        }
        subject = {
            "model": classifier.source,
            "images": digest(self._images, self._labels),
            "version_of_attacks": VERSION_OF_ATTACKS,
        }
        stored = StoredEvaluation(directory / name, {**self._protocol.identity, **subject})
        warnings = self._warnings(classifier)
        compiled = CompiledClassifier(classifier, self._images.shape[1:])
        outcomes, norms = {}, {}
        for epsilon, chosen in {0.0: [], **attacks}.items():
            outcome, of_gradients = self._outcome(compiled, stored, epsilon, chosen)
            warnings += of_gradients
            outcomes[epsilon], norms[epsilon], left_out = self._sound(
                classifier, epsilon, outcome, chosen
            )
            warnings += left_out
        largest = max(self._protocol.radii)
        report = functools.partial(self._masking, compiled, largest, outcomes[largest])
        masking = stored.masking(report if self._protocol.masking else None)
        self._write(directory, name, classifier, outcomes, norms, masking, warnings)
        return summary(outcomes), masking

    def _outcome(
        self,
        compiled: CompiledClassifier,
        stored: StoredEvaluation,
        epsilon: float,
        attacks: Sequence[AttackSearch],
    ) -> tuple[Outcome, list[str]]:
        """The outcome at a radius, and what is to be said of the gradients that were followed."""
        evaluation = RobustnessEvaluation(
            compiled, attacks, self._protocol.batch_size, self._protocol.seed
        )
        start = time.monotonic()
        outcomes = []
        parts = range(0, len(self._images), PART_SIZE)
        for part, first in enumerate(parts):
            chosen = slice(first, first + PART_SIZE)
            outcome = stored.outcome(
                radius_key(epsilon),
                part,
                functools.partial(
                    evaluation.run,
                    self._images[chosen],
                    self._labels[chosen],
                    self._numbers[chosen],
                ),
            )
            outcomes.append(outcome)
            if attacks:
                self._print_progress(epsilon, outcomes, time.monotonic() - start)
        warning = evaluation.gradients.warning
        if warning is None:
            return join(outcomes), []
        line = f"radius {epsilon:g}: {warning}"
        print(f"  warning: {line}", flush=True)
        return join(outcomes), [line]

    def _print_progress(self, epsilon: float, outcomes: Sequence[Outcome], seconds: float) -> None:
        done = sum(len(outcome.fooled_by) for outcome in outcomes)
        survived = sum(int(outcome.survived.sum()) for outcome in outcomes)
        left = seconds / done * (len(self._images) - done)
        # Class folders are attacked class by class: what there is so far may be of one class.
        so_far = " so far" if done < len(self._images) else ""
        print(
            f"  radius {format_radius(epsilon, self._protocol.norm)}: {done}/{len(self._images)} "
            f"images, {survived / done:.1%} withstand{so_far}, ETA {format_duration(left)}",
            flush=True,
        )

    def _warnings(self, classifier: Classifier) -> list[str]:
        """What is said before the attack of a classifier that may be given its images wrongly."""
        warning = range_warning(classifier, self._images, self._labels, self._num_classes)
        if warning is None:
            return []
        print(f"  warning: {warning}", flush=True)
        return [warning]

    def _sound(
        self,
        classifier: Classifier,
        epsilon: float,
        outcome: Outcome,
        attacks: Sequence[AttackSearch],
    ) -> tuple[Outcome, np.ndarray, list[str]]:
        """The outcome of attacks that keep to their ball, its norms, and what was left out."""
        try:
            outcome, norms, lines = keep_sound(
                classifier,
                self._images,
                self._labels,
                outcome,
                attacks,
                epsilon,
                self._protocol.norm,
                self._protocol.batch_size,
            )
        except VerificationError as error:
            raise VerificationError(
                f"{classifier.name} at radius {epsilon:g}: {error}; no result was written"
            ) from error
        lines = [f"radius {epsilon:g}: {line}" for line in lines]
        for line in lines:
            print(f"  warning: {line}", flush=True)
        self.left_out += [f"{classifier.name} at {line}" for line in lines]
        return outcome, norms, lines

    def _masking(
        self, compiled: CompiledClassifier, epsilon: float, outcome: Outcome
    ) -> MaskingReport:
        count = min(MASKING_IMAGES, len(self._images))
        rows, description = representative_rows(self._labels, count)
        print(f"  looking for signs of masked gradients: {description}", flush=True)
        checks = masking_report(
            compiled,
            self._images[rows],
            self._labels[rows],
            Reported(self._protocol.attack, outcome.survived[rows]),
            epsilon,
            self._protocol.norm,
            self._protocol.seed,
            self._protocol.batch_size,
        )
        return MaskingReport(description, checks)

    def _write(
        self,
        directory: pathlib.Path,
        name: str,
        classifier: Classifier,
        outcomes: Mapping[float, Outcome],
        norms: Mapping[float, np.ndarray],
        masking: MaskingReport,
        warnings: Sequence[str],
    ) -> None:
        rows = summary(outcomes)
        record = {
            "model": classifier.name,
            "source": classifier.source,
            "images": self._description,
            **dataclasses.asdict(self._protocol),
            "radii": rows,
            "masking": [dataclasses.asdict(check) for check in masking.checks],
            "masking_images": masking.images,
            "warnings": list(warnings),
        }
        samples = per_sample_csv(outcomes, norms, self._labels, self._numbers, self._locations)
        write_atomically(directory / f"{name}.json", json.dumps(record, indent=1) + "\n")
        table = self.table({classifier.name: rows}, masking)
        lines = "".join(f"\nWarning: {warning}\n" for warning in warnings)
        write_atomically(directory / f"{name}.md", table + lines)
        write_atomically(directory / f"{name}_samples.csv", samples)
        if self._protocol.save_images:
            arrays: dict[str, Any] = {
                radius_key(epsilon): outcome.adversarial for epsilon, outcome in outcomes.items()
            }
            write_atomically(
                directory / f"{name}_images.npz",
                lambda file: np.savez_compressed(file, label=self._labels, **arrays),
            )

    def table(
        self, results: Mapping[str, Sequence[Row]], masking: MaskingReport | None = None
    ) -> str:
        """The Markdown table of several models, `results` being a dict from name to rows."""
        attack = f"Attack: {self._protocol.attack}, seed {self._protocol.seed}"
        return markdown(results, attack, self._protocol.norm, self._description, masking)


def evaluate_robustness(
    subjects: Sequence[tuple[Classifier, PathLike, str]],
    source: ImageSource,
    protocol: Protocol,
    count: int | None = None,
) -> str:
    """Evaluates classifiers on the images of a source.

    Args:
      subjects: list of (Classifier, directory of its results, their name).
      source: ImageSource.
      protocol: a Protocol.
      count: how many images, or None for the protocol's own number.

    Returns:
      The Markdown table of all.

    Raises:
      UserError: if something given cannot be used.
      VerificationError: if a result does not stand up to recomputation; where only an attack had
        to be left out, after the table was printed and written without it.
    """
    positions, description = choose_images(source, protocol, count)
    images = scale_images(source.fetch(positions)).numpy()
    description += stand_ins(source, positions)
    if images.min() >= 0.0:
        print("warning: no pixel of these images is negative; models here expect [-1, 1]")
    run = RobustnessRun(
        images,
        source.labels[positions],
        None if source.locations is None else source.locations[positions],
        positions,
        len(source.class_names),
        description,
        protocol,
    )
    radii = ", ".join(format_radius(epsilon, protocol.norm) for epsilon in protocol.radii)
    print(f"Attack {protocol.attack} at radii on images in [-1, 1], of [0, 1] in brackets: {radii}")
    results: dict[str, list[Row]] = {}
    masking: MaskingReport | None = None
    for classifier, directory, name in subjects:
        print(f"{classifier.name} ({classifier.source}): {description}", flush=True)
        results[classifier.name], masking = run.evaluate(classifier, directory, name)
        print(f"  written: {pathlib.Path(directory) / name}.json, .md and _samples.csv")
    table = run.table(results, masking if len(subjects) == 1 else None)
    if run.left_out:
        print(table)
        raise VerificationError(
            f"written without what was not sound: {'; '.join(run.left_out)}. Accuracies under the "
            "other attacks are upper bounds of those that were asked for"
        )
    return table
