"""Which images of a split are measured where not all are: never the first, which may be one class.

Class folders are stored class by class, and so may any data set be. A choice is a pure function of
the labels and ids.
"""

from collections.abc import Sequence

import numpy as np

from robgan_tf.data.splits import even_quotas, pseudo_random_ranks

# Of the changes of class from image to image that a random order would have, the share below which
# an order counts as grouped by class.
_MIXED = 0.75


# So many images of a class are expected among evenly spaced ones that a random order, which lacks
# it in 3 of 10,000 choices, is not the reason where there is none.
_SURELY_THERE = 8


def evenly_spaced_rows(total: int, most: int) -> np.ndarray:
    """Chooses rows from the first to the last: at most `most` of `total`, int array."""
    return np.linspace(0, total - 1, min(most, total)).round().astype(int)


def spaced_rows(labels: np.ndarray, most: int) -> np.ndarray:
    """Chooses evenly spaced rows, unless classes that take turns let these skip a class.

    Args:
      labels: int [N], the class of each image in stored order.
      most: how many, if there are so many.

    Returns:
      Ascending positions, int: evenly spaced ones, or as many of each class as of any other.
    """
    rows = evenly_spaced_rows(len(labels), most)
    classes, of_image = np.unique(labels, return_inverse=True)
    expected = np.bincount(of_image) * (len(rows) / max(1, len(labels)))
    chosen = np.bincount(of_image[rows], minlength=len(classes))
    if np.any((chosen == 0) & (expected >= _SURELY_THERE)):
        return balanced_rows(labels, len(rows))
    return rows


def representative_rows(
    labels: np.ndarray, count: int, ids: Sequence[str] | np.ndarray | None = None
) -> tuple[np.ndarray, str]:
    """Chooses images that stand for all.

    Where the data set names its images and the order of the names mixes the classes, these are the
    first by name, as robustness is commonly reported (RobustBench's CIFAR-10). Otherwise they are
    equally many of each class, evenly spaced over the stored order of the class.

    Args:
      labels: int [N], the class of each image in stored order.
      count: how many, at most N.
      ids: str [N], the names, or None where there are none.

    Returns:
      (positions int [count], one line that says which images they are).
    """
    total = len(labels)
    if count == total:
        return np.arange(total), f"All {total} images"
    if ids is not None:
        by_id = np.argsort(np.asarray(ids), kind="stable")
        if _mixes_classes(labels[by_id]):
            rows = by_id[:count]
            return rows, f"The first {count} images of {total} by id, {_of_each(labels, rows)}"
    rows = balanced_rows(labels, count)
    return rows, f"{count} images of {total}, evenly spaced, {_of_each(labels, rows)}"


def balanced_rows(labels: np.ndarray, count: int) -> np.ndarray:
    """Chooses equally many images of each class as far as they last, evenly spaced in each.

    Args:
      labels: int [N].
      count: how many, at most N.

    Returns:
      Ascending positions, int [count].
    """
    classes, of_image = np.unique(labels, return_inverse=True)
    # The same classes every time get one more than the others, and not the first of them.
    ranks = pseudo_random_ranks(("subset", "classes"), len(classes))
    quotas = even_quotas(count, np.bincount(of_image), ranks)
    chosen = [
        members[((np.arange(quota) + 0.5) * len(members) / quota).astype(int)]
        for label, quota in enumerate(quotas)
        if quota
        for members in [np.flatnonzero(of_image == label)]
    ]
    return np.sort(np.concatenate(chosen))


def _mixes_classes(labels: np.ndarray) -> bool:
    """Whether the class changes along an order about as often as it would in a random one."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    expected = (len(labels) - 1) * (1.0 - np.sum(shares**2))
    changes = np.count_nonzero(labels[1:] != labels[:-1])
    return len(shares) > 1 and bool(changes >= _MIXED * expected)


def _of_each(labels: np.ndarray, rows: np.ndarray) -> str:
    """How many of each class were chosen, in words."""
    classes, of_image = np.unique(labels, return_inverse=True)
    counts = np.bincount(of_image[rows], minlength=len(classes))
    present = counts[counts > 0]
    fewest, most = present.min(), present.max()
    number = f"{most}" if fewest == most else f"{fewest} to {most}"
    if len(present) == len(classes):
        return f"{number} of each of {len(classes)} classes"
    return f"{number} of each of {len(present)} of {len(classes)} classes"
