"""Compares attacks with those of Foolbox and the Adversarial Robustness Toolbox (ART).

    python -m tools.compare_attacks --run_dir=RUN --data_dir=DIR \\
        --pytorch_python=ENV/bin/python --output=FILE.json

The run's D is copied to PyTorch and must give the same logits there. Then PGD and FGSM are compared
with Foolbox, Auto-PGD and Square with ART: accuracy under attack, pixels, seconds. The libraries
live in an environment of their own (tools/requirements-pytorch.txt) and run in a process of their
own (tools/attack_libraries_worker.py), never at the same time as this package: they take turns,
batch by batch, so that a machine that others use treats all alike.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from robgan_tf.attacks.search import AttackSearch
from robgan_tf.cli import (
    start as command,  # its environment settings come before TensorFlow is imported
)
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.stages.finished import FinishedRun
from robgan_tf.typing import JsonObject

# isort: split
import keras
import numpy as np
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.objectives import is_fooled
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.data import load_image_data
from robgan_tf.data.batches import scale_images
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.layers import SpectralNormalization
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.run import Protocol, choose_images
from robgan_tf.robustness.subjects import check_classifier, discriminator_classifier
from robgan_tf.robustness.verification import verify
from robgan_tf.stages.finished import open_run
from tools.attack_libraries import Libraries
from tools.attack_report import ART, DIFFERENCES, FOOLBOX, FORMS, markdown, targets
from tools.benchmarks.machine import convolution_peaks, describe

OURS = "ours"
BATCH_SIZE = 100
PGD_STEPS = 20
LARGEST_LOGIT_DIFFERENCE = 1e-4
# Two roundings of the same sum may differ by this.
EQUAL_PIXELS = 1e-6


# Attacks the images of a slice: adversarial ones, and whether each is classified correctly.
OnBatch = Callable[[slice], tuple[np.ndarray, ...]]


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is attacked.

    Attributes:
      classifier: a Classifier.
      images: float32 [N, H, W, C] in [-1, 1].
      labels: int64 [N].
    """

    classifier: Classifier
    images: np.ndarray
    labels: np.ndarray

    @property
    def batches(self) -> list[slice]:
        """Slices of the images that are attacked at a time."""
        count = len(self.labels)
        return [
            slice(first, min(first + BATCH_SIZE, count)) for first in range(0, count, BATCH_SIZE)
        ]


@dataclasses.dataclass(frozen=True)
class Found:
    """What one attack did to the images.

    Attributes:
      adversarial: float32 [N, H, W, C].
      correct: bool [N]: whether D still classifies them correctly.
      seconds: [batches], the time each batch took.
      processor_seconds: the same summed over processors: waiting for others does not count.
    """

    adversarial: np.ndarray
    correct: np.ndarray
    seconds: np.ndarray
    processor_seconds: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of the images that are still classified correctly."""
        return float(self.correct.mean())


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


def in_float32(run: FinishedRun) -> FinishedRun:
    """A FinishedRun whose networks compute in float32, whatever it was trained in."""
    return dataclasses.replace(run, config=run.config.with_precision("float32"))


def kernels(discriminator: ResNetDiscriminator) -> dict[str, Any]:
    """The arrays of a D as `pytorch_discriminator.build` takes them.

    Raises:
      UserError: if the PyTorch copy cannot compute the same.
    """
    if not isinstance(discriminator, ResNetDiscriminator):
        raise UserError("the PyTorch copy is of D; this run's classifier is another network")
    blocks = [getattr(discriminator, name) for name in discriminator.block_names]
    if any(block.normalization == "batch" for block in blocks):
        raise UserError("the PyTorch copy knows no batch normalization; this run's D has it")
    values = {"resample": np.array([block.resample for block in blocks])}
    for block in blocks:
        for name in ("convolution_1", "convolution_2", "shortcut"):
            layer = getattr(block, name)
            if layer is not None:
                values |= _layer_arrays(f"{block.name}/{name}", layer)
    if discriminator.class_head is None:
        raise UserError("this run's D was trained without classes")
    return values | _layer_arrays("class_head", discriminator.class_head)


def _layer_arrays(name: str, layer: keras.layers.Layer) -> dict[str, Any]:
    if isinstance(layer, SpectralNormalization):
        kernel, layer = layer.normalized_kernel(), layer.layer
    else:
        kernel = layer.kernel
    values = {f"{name}:normalized": np.asarray(kernel)}
    if layer.use_bias:
        values[f"{name}:bias"] = np.asarray(layer.bias)
    return values


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
        shape = subject.images.shape[1:]
        evaluation = RobustnessEvaluation(subject.classifier, [attack], shape, BATCH_SIZE)
        numbers = np.arange(len(subject.labels))

        def run(batch: slice) -> tuple[np.ndarray, ...]:
            arguments = (subject.images[batch], subject.labels[batch], numbers[batch])
            outcome = evaluation.run(*arguments)
            return outcome.adversarial, outcome.survived

        return run

    return runner


def compare(case: Case, subject: Subject, libraries: Libraries, epsilon: float) -> list[JsonObject]:
    """Runs our attack and the library's on each form of D, in turn on every batch.

    Args:
      case: a Case.
      subject: a Subject.
      libraries: a Libraries.
      epsilon: radius.

    Returns:
      A list of rows, one for each form of D in PyTorch: dicts of what was measured.

    Raises:
      VerificationError: if either side's images or verdicts do not stand up to recomputation.
    """
    run = case.runner(subject)
    compilation = _compilation_seconds(run, subject.batches[0])
    parts: dict[str, list[tuple[Any, ...]]] = {name: [] for name in (OURS, *FORMS)}
    for batch in subject.batches:
        parts[OURS].append(_measured(run, batch))
        for form in FORMS:
            chosen = {"form": form, "first": batch.start, "last": batch.stop}
            parts[form].append(libraries.attack({**case.request, **chosen}))
    found = {name: _joined(of_name) for name, of_name in parts.items()}
    arguments = (subject.classifier, subject.images, subject.labels)
    for one in found.values():
        verify(*arguments, one.adversarial, one.correct, epsilon, "linf", BATCH_SIZE)
    return [
        {
            "attack": case.name,
            "library": case.library,
            "form": form,
            **_row(found[OURS], found[form], compilation),
        }
        for form in FORMS
    ]


def _compilation_seconds(run: OnBatch, batch: slice) -> float:
    # Processor time: other work on the machine can make the second call the slower one.
    first, second = (_measured(run, batch)[3] for _ in range(2))
    return max(0.0, first - second)


def _measured(run: OnBatch, batch: slice) -> tuple[np.ndarray, np.ndarray, float, float]:
    start, start_processors = time.perf_counter(), time.process_time()
    adversarial, correct = run(batch)
    seconds = time.perf_counter() - start
    return adversarial, correct, seconds, time.process_time() - start_processors


def _joined(parts: Iterable[tuple[Any, ...]]) -> Found:
    adversarial, correct, *times = zip(*parts, strict=True)
    return Found(np.concatenate(adversarial), np.concatenate(correct), *map(np.array, times))


def _row(ours: Found, theirs: Found, compilation: float) -> JsonObject:
    near = np.abs(ours.adversarial - theirs.adversarial) <= EQUAL_PIXELS
    speeds = theirs.seconds / ours.seconds
    return {
        "accuracy": {"ours": ours.accuracy, "library": theirs.accuracy},
        "points": 100.0 * (ours.accuracy - theirs.accuracy),
        "fooled_by_ours_alone": int((~ours.correct & theirs.correct).sum()),
        "fooled_by_library_alone": int((ours.correct & ~theirs.correct).sum()),
        # A pixel is equal where all its channels are.
        "equal_pixels": float(near.all(axis=-1).mean()),
        "equal_values": float(near.mean()),
        "seconds": {
            "ours": float(ours.seconds.sum()),
            "compilation": compilation,
            "library": float(theirs.seconds.sum()),
        },
        "processor_seconds": {
            "ours": float(ours.processor_seconds.sum()),
            "library": float(theirs.processor_seconds.sum()),
        },
        "speed": float(np.median(speeds)),
        "speed_range": [float(speeds.min()), float(speeds.max())],
        "speed_of_totals": float(theirs.seconds.sum() / ours.seconds.sum()),
        "speed_cold": float(theirs.seconds.sum() / (ours.seconds.sum() + compilation)),
        "speed_by_processor_time": float(
            theirs.processor_seconds.sum() / ours.processor_seconds.sum()
        ),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status.

    Args:
      argv: arguments without the command; those of the process if not given.
    """
    arguments = _arguments(argv)
    attacks = _cases(arguments)
    threads = arguments.threads
    run = in_float32(open_run(arguments.run_dir, arguments.checkpoint))
    # The advice against tracing a method for each attack is no news.
    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = run.load_classifier()
    arrays = kernels(model)
    classifier = discriminator_classifier(model, pathlib.Path(run.path).name, run.identity)
    subject, chosen = _subject(classifier, run, arguments)
    logits = _logits(subject)
    record = {
        "model": run.identity,
        "checkpoint_step": run.step,
        "chosen": chosen,
        "images": len(subject.labels),
        "epsilon": arguments.epsilon,
        "batch_size": BATCH_SIZE,
        "clean_accuracy": float((logits.argmax(axis=1) == subject.labels).mean()),
        "load_average": {"before": os.getloadavg()},
    }
    rows = []
    with Libraries(
        arguments.pytorch_python, arrays, subject.images, subject.labels, threads
    ) as libraries:
        record["versions"] = {**_versions(), **libraries.versions}
        record["largest_logit_difference"] = same_logits(logits, libraries.logits)
        for case in attacks:
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            rows += compare(case, subject, libraries, arguments.epsilon)
    record["load_average"]["after"] = os.getloadavg()
    record["machine"] = {
        **describe(),
        "threads": threads,
        "peak_gigaflops_per_second": convolution_peaks()["float32"] / 1e9,
    }
    record |= {"rows": rows, "targets": targets(rows), "differences": DIFFERENCES}
    print(markdown(record))
    if arguments.output:
        write_atomically(arguments.output, json.dumps(record, indent=1) + "\n")
    return 0


def same_logits(ours: np.ndarray, copies: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The largest difference between our logits and those of the copies, relative to the largest.

    Args:
      ours: [N, K].
      copies: dict from form to [N, K].

    Returns:
      Dict from form to the difference.

    Raises:
      UserError: if it is too large for a comparison of attacks to mean anything.
    """
    largest = np.abs(ours).max()
    differences = {
        form: float(np.abs(logits - ours).max() / largest) for form, logits in copies.items()
    }
    for form, difference in differences.items():
        # Written so that NaN is refused too.
        if not difference < LARGEST_LOGIT_DIFFERENCE:
            raise UserError(
                f"the logits of the PyTorch copy ({FORMS[form]}) are up to {difference:.2g} off "
                f"ours, relative to the largest; at most {LARGEST_LOGIT_DIFFERENCE:g} is expected"
            )
    return differences


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    # An error is one line without it.
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], usage=argparse.SUPPRESS)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--checkpoint", default="last", help="last, best or a step that was kept")
    parser.add_argument("--data_dir", default=os.environ.get("TFDS_DATA_DIR"))
    parser.add_argument("--pytorch_python", required=True, help="with torch, foolbox and ART")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epsilon", type=float, default=0.04, help="on images in [-1, 1]")
    parser.add_argument("--auto_pgd_steps", type=int, default=100)
    parser.add_argument("--queries", type=int, default=500, help="of Square")
    parser.add_argument(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="of both sides; 1 where others use the machine: PyTorch's threads wait for each other",
    )
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write")
    arguments = parser.parse_args(argv)
    if not arguments.epsilon > 0.0:
        raise UserError(f"--epsilon={arguments.epsilon:g}: give a radius above 0")
    for name in ("auto_pgd_steps", "queries", "threads"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name}={getattr(arguments, name)}: give at least 1")
    # Not found out after the attacks.
    if arguments.output and not arguments.output.parent.is_dir():
        raise UserError(f"--output={arguments.output}: there is no such directory")
    return arguments


def _cases(arguments: argparse.Namespace) -> list[Case]:
    try:
        return cases(arguments.epsilon, arguments.auto_pgd_steps, arguments.queries)
    except ValueError as error:
        raise UserError(str(error)) from error


def _subject(
    classifier: Classifier, run: FinishedRun, arguments: argparse.Namespace
) -> tuple[Subject, str]:
    data = run.config.data.loading(arguments.data_dir)
    source = load_image_data(**data).test
    protocol = Protocol("published", (arguments.epsilon,))
    positions, chosen = choose_images(source, protocol, arguments.images)
    images = scale_images(source.fetch(positions)).numpy()
    check_classifier(classifier, images, len(source.class_names))
    return Subject(classifier, images, source.labels[positions].astype(np.int64)), chosen


def _logits(subject: Subject) -> np.ndarray:
    logits = subject.classifier.logits
    return np.concatenate([logits(subject.images[batch]) for batch in subject.batches])


def _versions() -> dict[str, str]:
    return {"tensorflow": tf.__version__, "keras": keras.__version__}


if __name__ == "__main__":
    sys.exit(command.finish(main))
