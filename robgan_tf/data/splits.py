"""Fixed, class-balanced choices of examples.

A choice is a pure function of (dataset name, split seed, purpose of the choice) and the
labels. It uses its own integer hash instead of a library's generator, so that it stays
the same across versions of NumPy and TensorFlow.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from robgan_tf.errors import UserError


def hold_out_validation(
    labels: np.ndarray, count: int, class_names: Sequence[str], *, dataset: str, split_seed: int
) -> np.ndarray:
    """Chooses the validation slice of a training split.

    Every class keeps at least one training example.

    Args:
      labels: int array `[N]`.
      count: number of validation examples; 0 for none.
      class_names: names of the classes.
      dataset: name of the dataset, without version.
      split_seed: integer.

    Returns:
      Sorted int64 array `[count]` of positions.

    Raises:
      UserError: `count` is negative, smaller than the number of classes, or leaves
        fewer training examples than classes.
    """
    labels, available = _counted(labels, class_names)
    _check_count("validation_examples", count, int(np.maximum(available - 1, 0).sum()), available)
    capacity = np.maximum(available - 1, 0)
    return _choose_balanced(labels, count, capacity, (dataset, split_seed, "validation"))


def choose_training_subset(
    labels: np.ndarray, count: int, class_names: Sequence[str], *, dataset: str, split_seed: int
) -> np.ndarray:
    """Chooses a class-balanced subset of the training examples.

    Args:
      labels: int array `[N]`, the training examples that are left after validation.
      count: number of examples.
      class_names: names of the classes.
      dataset: name of the dataset, without version.
      split_seed: integer.

    Returns:
      Sorted int64 array `[count]` of positions.

    Raises:
      UserError: `count` exceeds the examples there are, or is less than one per class.
    """
    labels, available = _counted(labels, class_names)
    _check_count("train_examples", count, len(labels), available, zero_means_none=False)
    return _choose_balanced(labels, count, available, (dataset, split_seed, "train"))


def _counted(labels: np.ndarray, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Labels from 0, and images of each; images without a label (-1) are a class of their own."""
    labels = np.asarray(labels)
    shift = int(labels.min(initial=0) < 0)
    return labels + shift, np.bincount(labels + shift, minlength=len(class_names) + shift)


def _check_count(
    argument: str, count: int, most: int, available: np.ndarray, zero_means_none: bool = True
) -> None:
    classes = int(np.count_nonzero(available))
    if zero_means_none and count == 0:
        return
    if count < classes:
        raise UserError(
            f"{argument} is {count}, but the training split has {classes} classes: give at "
            f"least {classes}, one per class" + (", or 0 for none" if zero_means_none else "")
        )
    if count > most:
        kept = ", one per class is kept for training" if zero_means_none else ""
        raise UserError(
            f"{argument} is {count}, but only {most} training examples can be used for it "
            f"({int(available.sum())} in {classes} classes{kept}): give at most {most}"
        )


def _choose_balanced(
    labels: np.ndarray, count: int, capacity: np.ndarray, name: Sequence[object]
) -> np.ndarray:
    """Takes `count` examples, as evenly from the classes as `capacity` allows."""
    quotas = even_quotas(count, capacity, pseudo_random_ranks((*name, "classes"), len(capacity)))
    by_rank = np.argsort(pseudo_random_ranks((*name, "examples"), len(labels)), kind="stable")
    ranked_labels = np.asarray(labels)[by_rank]
    chosen = [by_rank[ranked_labels == label][:quota] for label, quota in enumerate(quotas)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def even_quotas(count: int, capacity: np.ndarray, class_ranks: np.ndarray) -> np.ndarray:
    """Shares `count` among classes: equal shares, capped; odd ones by `class_ranks`."""
    quotas = np.zeros_like(capacity)
    while (missing := count - quotas.sum()) > 0:
        open_classes = np.flatnonzero(quotas < capacity)
        share = missing // len(open_classes)
        if share == 0:
            winners = open_classes[np.argsort(class_ranks[open_classes], kind="stable")][:missing]
            quotas[winners] += 1
        else:
            quotas[open_classes] = np.minimum(quotas[open_classes] + share, capacity[open_classes])
    return quotas


def pseudo_random_ranks(name: Sequence[object], count: int) -> np.ndarray:
    """uint64 pseudo-random numbers `[count]`: splitmix64, started from a hash of `name`."""
    digest = hashlib.sha256("\0".join(map(str, name)).encode()).digest()
    start = np.uint64(int.from_bytes(digest[:8], "little"))
    state = start + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
