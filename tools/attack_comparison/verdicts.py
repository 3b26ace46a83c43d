"""Runs our attacks and the reference's in turn on the same images, and keeps their verdicts."""

import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from robgan_tf.attacks.objectives import log_odds
from robgan_tf.attacks.samples import start_at_distance
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.choices import NORMS
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.verification import VerificationError, verify
from robgan_tf.typing import JsonObject
from tools.attack_comparison.fab_steps import compare_steps
from tools.attack_comparison.libraries import Libraries
from tools.attack_comparison.parts import Part
from tools.attack_comparison.subject import FORM, Subject

Found = tuple[np.ndarray, np.ndarray, float, float]


class Sides:
    """Our attacks and the reference's, on the same images.

    Args:
      subject: a Subject.
      reference: the reference's process, with the same images.
      norm: name of the norm.
      epsilon: radius on [-1, 1].
    """

    def __init__(self, subject: Subject, reference: Libraries, norm: str, epsilon: float) -> None:
        self._subject = subject
        self._reference = reference
        self._norm = norm
        self._epsilon = epsilon
        self._compiled = CompiledClassifier(subject.classifier, subject.images.shape[1:])

    def warm_up(self, attacks: Sequence[AttackSearch], row: int) -> None:
        """Compiles attacks, so that no piece is charged with it."""
        for attack in attacks:
            self._ours(attack, np.array([row]), seed=0)

    def costs(self, rows: np.ndarray, repeats: int = 20) -> JsonObject:
        """What D alone costs each side.

        Args:
          rows: numbers of the images, int [M].
          repeats: how often it is called.

        Returns:
          Dict from side to processor seconds an image, of a "query" and of a "gradient".
        """
        images = tf.constant(self._subject.images[rows])
        labels = tf.constant(self._subject.labels[rows])
        logits = self._subject.classifier.logits

        @tf.function(autograph=False)
        def query() -> tf.Tensor:
            with self._subject.classifier.hold():
                return logits(images)

        @tf.function(autograph=False)
        def gradient() -> tf.Tensor:
            with self._subject.classifier.hold(), tf.GradientTape() as tape:
                tape.watch(images)
                objective = log_odds(logits(images), labels)
            return tape.gradient(objective, images)

        kinds = {"query": query, "gradient": gradient}
        found: dict[str, dict[str, float]] = {side: {} for side in ("ours", "reference")}
        for kind, call in kinds.items():
            call()
            start = time.process_time()
            for _ in range(repeats):
                call()
            found["ours"][kind] = (time.process_time() - start) / (repeats * len(rows))
            asked = {"attack": "passes", "form": FORM, "rows": rows.tolist(), "seed": 0}
            seconds = self._reference.attack({**asked, "repeats": repeats, "kind": kind})[3]
            found["reference"][kind] = seconds / (repeats * len(rows))
        return found

    def fab_steps(self, rows: np.ndarray, steps: int) -> JsonObject:
        """Single steps of FAB; see `fab_steps.compare_steps`."""
        given = self._subject, self._reference, self._norm, self._epsilon
        return compare_steps(*given, rows, steps)

    def part(self, part: Part, rows: np.ndarray, seed: int = 0) -> JsonObject:
        """One attack alone on images that are classified correctly.

        Args:
          part: a Part.
          rows: numbers of the images, int [M].
          seed: of both sides' random numbers.

        Returns:
          What `_piece` returns.
        """
        request = {**part.request, "form": FORM, "rows": rows.tolist(), "seed": seed}
        with tempfile.TemporaryDirectory() as folder:
            if part.same_starts:
                path = pathlib.Path(folder) / "starts.npy"
                np.save(path, self._starts(part.attack, rows, seed))
                request["starts"] = str(path)
            theirs = self._reference.attack(request)
        return self._counted(lambda: self._piece(rows, self._ours(part.attack, rows, seed), theirs))

    def ensemble(
        self, attacks: Sequence[AttackSearch], rows: np.ndarray, batch_size: int, seed: int = 0
    ) -> JsonObject:
        """The whole ensemble, each side as its users run it.

        Args:
          attacks: ours.
          rows: numbers of the images, int [M].
          batch_size: of both sides.
          seed: of both sides' random numbers, which differ.

        Returns:
          What `_piece` returns.
        """
        evaluation = RobustnessEvaluation(self._compiled, attacks, batch_size, seed)

        def run() -> tuple[np.ndarray, np.ndarray]:
            outcome = evaluation.run(self._subject.images[rows], self._subject.labels[rows], rows)
            return outcome.adversarial, outcome.survived

        request = {
            "attack": "ensemble",
            "form": FORM,
            "rows": rows.tolist(),
            "seed": seed,
            "norm": self._norm,
            "epsilon": self._epsilon,
            "batch_size": batch_size,
        }
        theirs = self._reference.attack(request)
        return self._counted(lambda: self._piece(rows, _timed(run), theirs))

    def _counted(self, measure: Callable[[], JsonObject]) -> JsonObject:
        """A piece, and how many queries and gradients of D ours took."""
        counter = self._compiled.gradients
        queries, gradients = counter.queries, counter.counts.followed
        piece = measure()
        piece["ours"]["queries"] = counter.queries - queries
        piece["ours"]["gradients"] = counter.counts.followed - gradients
        return piece

    def _ours(self, attack: AttackSearch, rows: np.ndarray, seed: int) -> Found:
        """Runs an attack of ours: each round on what the rounds before have left."""
        images = self._subject.images[rows]
        labels = self._subject.labels[rows].astype(np.int32)
        seeds = seeds_of(rows, seed)
        search = self._compiled.search(attack)

        def run() -> tuple[np.ndarray, np.ndarray]:
            adversarial, correct = images.copy(), np.ones(len(rows), bool)
            for number in range(attack.rounds):
                left = np.flatnonzero(correct)
                if not len(left):
                    break
                arguments = images[left], labels[left], seeds[left], tf.constant(number)
                adversarial[left], fooled = search(*arguments)
                correct[left] = ~np.asarray(fooled)
            return adversarial, correct

        return _timed(run)

    def _starts(self, attack: AttackSearch, rows: np.ndarray, seed: int) -> np.ndarray:
        """Where our Auto-PGD begins, [rounds, M, H, W, C]."""
        images, seeds = tf.constant(self._subject.images[rows]), seeds_of(rows, seed)
        norm = NORMS.get(self._norm)
        return np.stack(
            [
                start_at_distance(norm, images, self._epsilon, seeds, number)
                for number in range(attack.rounds)
            ]
        )

    def _piece(self, rows: np.ndarray, ours: Found, theirs: Found) -> JsonObject:
        """What is kept: rows, and of each side verdicts, seconds and whether they are confirmed."""
        sides = {"ours": ours, "reference": theirs}
        return {"rows": rows.tolist()} | {
            side: {
                "correct": correct.astype(int).tolist(),
                "seconds": seconds,
                "processor_seconds": processor_seconds,
                "refused": self._refused(rows, adversarial, correct),
            }
            for side, (adversarial, correct, seconds, processor_seconds) in sides.items()
        }

    def _refused(self, rows: np.ndarray, adversarial: np.ndarray, correct: np.ndarray) -> str:
        """What our verifier holds against images and verdicts; empty if nothing."""
        subject = self._subject
        given = subject.images[rows], subject.labels[rows], adversarial, correct
        try:
            verify(subject.classifier, *given, self._epsilon, self._norm)
        except VerificationError as error:
            return str(error)
        return ""


def seeds_of(rows: np.ndarray, seed: int) -> np.ndarray:
    """One seed an image, int32 [M, 2], which depends on its number only."""
    purpose = Purpose.EVALUATION_ATTACK
    return np.stack([derive_seed(seed, purpose, int(row)).numpy() for row in rows])


def _timed(run: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Found:
    start, start_processors = time.perf_counter(), time.process_time()
    adversarial, correct = run()
    seconds = time.perf_counter() - start
    return adversarial, correct, seconds, time.process_time() - start_processors
