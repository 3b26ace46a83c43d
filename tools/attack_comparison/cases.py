"""The attacks that are compared: ours, and what is asked of a library."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.objectives import is_fooled
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.typing import JsonObject
from tools.attack_comparison.report import ART, FOOLBOX
from tools.attack_comparison.subject import BATCH_SIZE, Subject

PGD_STEPS = 20

# Attacks the images of a slice: adversarial ones, and whether each is classified correctly.
OnBatch = Callable[[slice], tuple[np.ndarray, ...]]


@dataclasses.dataclass(frozen=True)
class Case:
    """An attack of ours and the library's of the same name.

    Attributes:
      name: for the table.
      library: the library's name.
      runner: function from a Subject to our attack, itself a function from a slice of its images
        to (adversarial images, whether they are classified correctly).
      request: the library's attack and its arguments, as the worker takes them.
    """

    name: str
    library: str
    runner: Callable[[Subject], OnBatch]
    request: JsonObject


def cases(epsilon: float, auto_pgd_steps: int, queries: int) -> list[Case]:
    """The attacks to compare, each with the same steps, queries and starts on both sides."""
    square = SquareSearch(epsilon, queries + 1)
    return [
        _descent("PGD-20", epsilon, PGD_STEPS, epsilon / 5),
        _descent("FGSM", epsilon, 1, epsilon),
        Case(
            f"Auto-PGD, {auto_pgd_steps} steps",
            ART,
            _search(AutoPGD(epsilon, auto_pgd_steps)),
            {"attack": "auto_pgd", "epsilon": epsilon, "steps": auto_pgd_steps},
        ),
        Case(
            f"Square, {queries} queries",
            ART,
            _search(square),
            {
                "attack": "square",
                "epsilon": epsilon,
                "iterations": queries,
                "initial_share": square.initial_share,
            },
        ),
    ]


def _descent(name: str, epsilon: float, steps: int, step_size: float) -> Case:
    attack = ProjectedGradientDescent(epsilon, steps, step_size)
    request = {"attack": "pgd", "epsilon": epsilon, "steps": steps, "step_size": step_size}

    def runner(subject: Subject) -> OnBatch:
        logits = subject.classifier.logits

        @tf.function(
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, *subject.images.shape[1:]], tf.float32),
                tf.TensorSpec([None], tf.int64),
            ],
        )
        def attack_batch(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with subject.classifier.hold():
                found = attack(lambda x: class_loss(logits(x), labels), images)
                return found, ~is_fooled(logits(found), labels)

        def run(batch: slice) -> tuple[np.ndarray, ...]:
            found = attack_batch(subject.images[batch], subject.labels[batch])
            return tuple(np.asarray(part) for part in found)

        return run

    return Case(name, FOOLBOX, runner, request)


def _search(attack: AttackSearch) -> Callable[[Subject], OnBatch]:
    def runner(subject: Subject) -> OnBatch:
        compiled = CompiledClassifier(subject.classifier, subject.images.shape[1:])
        evaluation = RobustnessEvaluation(compiled, [attack], BATCH_SIZE)
        numbers = np.arange(len(subject.labels))

        def run(batch: slice) -> tuple[np.ndarray, ...]:
            arguments = (subject.images[batch], subject.labels[batch], numbers[batch])
            outcome = evaluation.run(*arguments)
            return outcome.adversarial, outcome.survived

        return run

    return runner
