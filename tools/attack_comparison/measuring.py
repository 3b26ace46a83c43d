"""Runs an attack of ours and a library's in turn, and says how they differ."""

import dataclasses
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from robgan_tf.robustness.verification import verify
from robgan_tf.typing import JsonObject
from tools.attack_comparison.cases import Case, OnBatch
from tools.attack_comparison.libraries import Libraries
from tools.attack_comparison.report import FORMS
from tools.attack_comparison.subject import BATCH_SIZE, Subject

OURS = "ours"
# Two roundings of the same sum may differ by this.
EQUAL_PIXELS = 1e-6


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
            rows = list(range(batch.start, batch.stop))
            chosen = {"form": form, "rows": rows, "seed": batch.start}
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
