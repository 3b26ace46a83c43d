"""Models that answer by chance: how often they answer correctly when asked again and again."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robgan_tf.reporting import format_radius
from robgan_tf.robustness.compiled import CompiledClassifier

DRAWS = 20


def redrawn_accuracy(
    compiled: CompiledClassifier, images: np.ndarray, labels: np.ndarray, batch_size: int = 100
) -> float:
    """The share of right answers among 20 fresh ones to each image.

    Args:
      compiled: the classifier.
      images: float32 [N, H, W, C] in [-1, 1].
      labels: int [N].
      batch_size: images classified at a time.
    """
    right = 0
    for first in range(0, len(images), batch_size):
        rows = slice(first, first + batch_size)
        for _ in range(DRAWS):
            right += int(np.sum(np.asarray(compiled.predict(images[rows])) == labels[rows]))
    return right / (DRAWS * len(images))


def told_of_draws(rows: Sequence[Mapping[str, Any]], norm: str) -> list[str]:
    """What verdicts on a model that answers by chance mean, in one line; none of others.

    Args:
      rows: as from `table.summary`, with "accuracy_redrawn".
      norm: name of the norm.
    """
    redrawn = [
        f"{row['accuracy_redrawn']:.1%} at {format_radius(row['epsilon'], norm)}"
        for row in rows
        if "accuracy_redrawn" in row
    ]
    if not redrawn:
        return []
    return [
        "The model is taken to answer by chance: an image counts as withstanding where each single "
        "answer that decided on it was right, so another run counts others, and predictions "
        f"cannot be recomputed. Of {DRAWS} fresh answers to each image that came out of the "
        f"attacks, right are: {', '.join(redrawn)}."
    ]
