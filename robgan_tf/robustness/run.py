"""One robustness evaluation from classifiers and images to files: what the command does."""

import contextlib
import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robgan_tf import __version__
from robgan_tf.adapters.numpy_functions import user_errors
from robgan_tf.attacks.protocol import make_attacks
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.choices import PROTOCOLS
from robgan_tf.data.sources import ImageSource
from robgan_tf.data.subsets import representative_rows
from robgan_tf.files import digest, write_atomically
from robgan_tf.reporting import format_radius
from robgan_tf.robustness.answers import check_answers
from robgan_tf.robustness.asked import Protocol, choose_images, radius_key, stand_ins
from robgan_tf.robustness.attack_progress import AttackProgress
from robgan_tf.robustness.card import card
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation, Watcher
from robgan_tf.robustness.input_range import range_warning
from robgan_tf.robustness.masking import Reported, masking_report
from robgan_tf.robustness.measured import Measured
from robgan_tf.robustness.outcome import Outcome, told
from robgan_tf.robustness.own_gradient import gradient_warning
from robgan_tf.robustness.peers import ALONE, Peers
from robgan_tf.robustness.redraws import redrawn_accuracy, told_of_draws
from robgan_tf.robustness.shared import SharedEvaluation
from robgan_tf.robustness.signs import MaskingReport
from robgan_tf.robustness.soundness import keep_sound
from robgan_tf.robustness.stored import Keeper, StoredEvaluation
from robgan_tf.robustness.subject_check import check_classifier, check_gradient
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.table import Row, markdown, per_sample_csv
from robgan_tf.robustness.verification import VerificationError
from robgan_tf.typing import JsonObject, PathLike

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
      peers: the processes that evaluate together; the chief alone reads and writes files.

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
        peers: Peers = ALONE,
    ) -> None:
        self._images = images
        self._peers = peers
        self._labels = np.asarray(labels)
        self._locations = locations
        self._numbers = numbers
        self._num_classes = num_classes
        self._description = description
        self._protocol = protocol
        self._kind = PROTOCOLS.get(protocol.attack)
        self._called = protocol.attack
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
        with user_errors():
            return self._evaluate(classifier, pathlib.Path(directory), name)

    def _evaluate(
        self, classifier: Classifier, directory: pathlib.Path, name: str
    ) -> tuple[list[Row], MaskingReport]:
        num_classes = check_classifier(
            classifier, self._images, self._num_classes, randomised=self._kind.randomised
        )
        attacks = {
            epsilon: make_attacks(self._protocol.attack, epsilon, self._protocol.norm, num_classes)
            for epsilon in self._protocol.radii
        }
        has_gradient = check_gradient(
            classifier, self._images, [attack for each in attacks.values() for attack in each]
        )
        identity = {
            **self._protocol.identity,
            "model": classifier.source,
            "images": digest(self._images, self._labels),
            "version_of_attacks": VERSION_OF_ATTACKS,
        }
        self._check_alike(identity, has_gradient)
        stored = SharedEvaluation(self._peers, lambda: StoredEvaluation(directory / name, identity))
        if self._peers.is_chief and not self._kind.randomised:
            check_answers(classifier, self._images, directory / name / "answers.json")
        found = Measured(classifier, self._warnings(classifier, has_gradient))
        found.replaced = self._kind.replaced(num_classes)
        for line in found.replaced:
            print(f"  {line}", flush=True)
        compiled = CompiledClassifier(
            classifier, self._images.shape[1:], self._protocol.devices, self._peers
        )
        progress = AttackProgress(len(attacks), lambda: compiled.gradients.queries)
        with contextlib.closing(progress):
            for epsilon, chosen in {0.0: [], **attacks}.items():
                self._measure(compiled, stored, epsilon, chosen, progress, found)
        largest = max(self._protocol.radii)
        report = functools.partial(
            self._masking, compiled, largest, found.outcomes[largest], found.attacks[largest]
        )
        found.masking = stored.masking(report if self._protocol.masking and has_gradient else None)
        self.left_out += found.left_out
        # Of several models, one that lacks a part takes the name from all.
        if found.called(self._protocol.attack) != self._protocol.attack:
            self._called = found.called(self._protocol.attack)
        if self._peers.is_chief:
            self._write(directory, name, found)
        return found.rows, found.masking

    def _check_alike(self, identity: JsonObject, has_gradient: bool) -> None:
        """Refuses processes that would not attack the same images by the same batches."""
        same = {
            **identity,
            "version": __version__,
            "batch_size": self._protocol.batch_size,
            "devices": len(self._protocol.devices),
            "masking": self._protocol.masking and has_gradient,
        }
        self._peers.check_alike("the evaluation", json.dumps(same, sort_keys=True))

    def _measure(
        self,
        compiled: CompiledClassifier,
        stored: SharedEvaluation,
        epsilon: float,
        attacks: Sequence[AttackSearch],
        progress: AttackProgress,
        found: Measured,
    ) -> None:
        """Attacks at a radius, going on with what is stored, and adds what came out to the rest."""
        protocol = self._protocol
        evaluation = RobustnessEvaluation(compiled, attacks, protocol.batch_size, protocol.seed)
        key, rounds = radius_key(epsilon), evaluation.rounds
        standing = stored.standing(key, self._images, rounds)
        title = f"radius {format_radius(epsilon, protocol.norm)}"
        keeper = Keeper(stored, key, standing, evaluation)
        watchers: list[Watcher] = [keeper]
        if attacks:
            progress.begin_radius(title, attacks)
            watchers.append(progress)
        outcome = evaluation.run(self._images, self._labels, self._numbers, standing, watchers)
        keeper.flush()
        names = [attack.name for attack in attacks]
        if attacks:
            progress.message(
                f"{title}: {outcome.survived.mean():.1%} of {len(self._images)} images withstand: "
                f"{told(outcome.parts(names))}{progress.time_left}"
            )
        if evaluation.gradients.warning is not None:
            found.warn(f"radius {epsilon:g}: {evaluation.gradients.warning}")
        if not self._peers.is_chief:
            # What is verified and told of it is the chief's.
            found.outcomes[epsilon], found.attacks[epsilon] = outcome, names
            return
        outcome, norms, left_out = self._sound(found.classifier, epsilon, outcome, attacks)
        for line in left_out:
            found.warn(f"radius {epsilon:g}: {line}")
            found.left_out.append(f"{found.classifier.name} at radius {epsilon:g}: {line}")
        found.outcomes[epsilon], found.norms[epsilon] = outcome, norms
        if self._kind.randomised:
            found.redrawn[epsilon] = redrawn_accuracy(
                compiled, outcome.adversarial, self._labels, protocol.batch_size
            )
        found.attacks[epsilon] = [
            name for name in names if name not in set().union(*left_out.values())
        ]

    def _warnings(self, classifier: Classifier, has_gradient: bool) -> list[str]:
        """What is said before the attack: of pixels in a wrong range, of gradients that mislead."""
        found = [
            range_warning(classifier, self._images, self._labels, self._num_classes),
            gradient_warning(classifier, self._images),
        ]
        if not has_gradient and self._protocol.masking:
            found.append(
                "the model has no gradient: black-box attacks were made alone, signs of masked "
                "gradients were not looked for, and the accuracy is an upper bound"
            )
        warnings = [warning for warning in found if warning is not None]
        for warning in warnings:
            print(f"  warning: {warning}", flush=True)
        return warnings

    def _sound(
        self,
        classifier: Classifier,
        epsilon: float,
        outcome: Outcome,
        attacks: Sequence[AttackSearch],
    ) -> tuple[Outcome, np.ndarray, dict[str, set[str]]]:
        """The outcome of attacks that keep to their ball, its norms, and what was left out."""
        try:
            return keep_sound(
                classifier,
                self._images,
                self._labels,
                outcome,
                attacks,
                epsilon,
                self._protocol.norm,
                self._protocol.batch_size,
                self._kind.randomised,
            )
        except VerificationError as error:
            raise VerificationError(
                f"{classifier.name} at radius {epsilon:g}: {error}; no result was written"
            ) from error

    def _masking(
        self,
        compiled: CompiledClassifier,
        epsilon: float,
        outcome: Outcome,
        attacks: Sequence[str],
    ) -> MaskingReport:
        count = min(MASKING_IMAGES, len(self._images))
        rows, description = representative_rows(self._labels, count)
        print(f"  looking for signs of masked gradients: {description}", flush=True)
        checks = masking_report(
            compiled,
            self._images[rows],
            self._labels[rows],
            Reported(
                self._protocol.attack,
                outcome.survived[rows],
                float(np.mean(outcome.fooled_by == "square")) if "square" in attacks[1:] else None,
                self._kind.randomised,
            ),
            epsilon,
            self._protocol.norm,
            self._protocol.seed,
            self._protocol.batch_size,
        )
        return MaskingReport(description, checks)

    def _write(self, directory: pathlib.Path, name: str, found: Measured) -> None:
        rows, called = found.rows, found.called(self._protocol.attack)
        record = {
            "model": found.classifier.name,
            "source": found.classifier.source,
            "images": self._description,
            **dataclasses.asdict(self._protocol),
            "attack": called,
            "replaced": found.replaced,
            "answers_by_chance": bool(found.redrawn),
            "radii": rows,
            "masking": [dataclasses.asdict(check) for check in found.masking.checks],
            "masking_images": found.masking.images,
            "warnings": found.warnings,
        }
        samples = per_sample_csv(
            found.outcomes, found.norms, self._labels, self._numbers, self._locations
        )
        write_atomically(directory / f"{name}.json", json.dumps(record, indent=1) + "\n")
        of_images = {
            "description": self._description,
            "digest": digest(self._images, self._labels),
        }
        made = card(
            found,
            self._protocol,
            VERSION_OF_ATTACKS,
            of_images,
            self._labels,
            self._numbers,
            self._locations,
        )
        # Whoever reads all records of a folder does not read its cards.
        (directory / "cards").mkdir(exist_ok=True)
        write_atomically(directory / "cards" / f"{name}.json", json.dumps(made) + "\n")
        table = self.table({found.classifier.name: rows}, found.masking, called)
        notes = [*found.replaced, *told_of_draws(rows, self._protocol.norm)]
        lines = "".join(f"\n{line}\n" for line in notes)
        lines += "".join(f"\nWarning: {warning}\n" for warning in found.warnings)
        write_atomically(directory / f"{name}.md", table + lines)
        write_atomically(directory / f"{name}_samples.csv", samples)
        if self._protocol.save_images:
            arrays: dict[str, Any] = {
                radius_key(epsilon): outcome.adversarial
                for epsilon, outcome in found.outcomes.items()
            }
            write_atomically(
                directory / f"{name}_images.npz",
                lambda file: np.savez_compressed(file, label=self._labels, **arrays),
            )

    def table(
        self,
        results: Mapping[str, Sequence[Row]],
        masking: MaskingReport | None = None,
        called: str | None = None,
    ) -> str:
        """The Markdown table of several models, `results` being a dict from name to rows."""
        attack = f"Attack: {called or self._called}, seed {self._protocol.seed}"
        return markdown(results, attack, self._protocol.norm, self._description, masking)


def evaluate_robustness(
    subjects: Sequence[tuple[Classifier, PathLike, str]],
    source: ImageSource,
    protocol: Protocol,
    count: int | None = None,
    peers: Peers = ALONE,
) -> str:
    """Evaluates classifiers on the images of a source.

    Args:
      subjects: list of (Classifier, directory of its results, their name).
      source: ImageSource.
      protocol: a Protocol.
      count: how many images, or None for the protocol's own number.
      peers: the processes that evaluate together; the chief alone reads and writes files.

    Returns:
      The Markdown table of all; of others than the chief nothing that counts.

    Raises:
      UserError: if something given cannot be used.
      VerificationError: if a result does not stand up to recomputation; where only an attack had
        to be left out, after the table was printed and written without it.
    """
    positions, description = choose_images(source, protocol, count)
    images = source.fetch_scaled(positions)
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
        peers,
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
