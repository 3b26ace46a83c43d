"""Whether what a model says of an image depends on that image alone.

A network in training mode (statistics of the batch, dropout) says something else of an image in
other company or at another call. Numbers made of that depend on how images were batched, or on
chance, and look like any other number.
"""

from collections.abc import Callable, Sequence

import numpy as np

from robgan_tf.typing import Shape

# In units of the spread between images. Rounding to bfloat16, which is another alone in a batch,
# was measured to change 1.6 % in deep networks; statistics of the batch and dropout change more.
MOST_CHANGE = 0.05
# Float32 leaves less, relative to the outputs.
_ROUNDING = 1e-5
_FEWEST = 5
_COMPANIES = {
    "beside other images": [2, 1, 0],
    "alone in its batch": [3],
    "beside copies of itself": [4, 4, 4],
}


def first_change(
    model: Callable[[np.ndarray], Sequence[np.ndarray]], images: np.ndarray
) -> tuple[str, float] | None:
    """Calls a model on the same images again, and in other batches.

    Args:
      model: function from images [n, ...] to one or several arrays [n, d].
      images: [N, ...], which differ from each other; nothing is tried with fewer than 5.

    Returns:
      (when, change): when what is said of an image changes by more than `MOST_CHANGE`, and by how
      much, in units of the spread between images: the root of the mean squared distance from
      their mean. None where it does not.
    """
    if len(images) < _FEWEST:
        return None
    first = model(images)
    # By chance, it differs in any company too: that comes first.
    change = _change(first, model(images), slice(None))
    if change > MOST_CHANGE:
        return "when it is called again", change
    for company, rows in _COMPANIES.items():
        change = _change(first, model(images[rows]), rows)
        if change > MOST_CHANGE:
            return company, change
    return None


def unlike_images(shape: Shape, count: int = 6) -> np.ndarray:
    """uint8 images of 4 x 4 patches of any colour, which differ more than images of noise do."""
    patches = np.random.default_rng(1).integers(0, 256, [count, 4, 4, shape[2]], np.uint8)
    rows, columns = (np.arange(side) * 4 // side for side in shape[:2])
    return patches[:, rows][:, :, columns]


def _change(
    first: Sequence[np.ndarray], again: Sequence[np.ndarray], rows: list[int] | slice
) -> float:
    changes = []
    for one, other in zip(first, again, strict=True):
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
        spread = _size(one - one.mean(axis=0)) + _ROUNDING * _size(one)
        # Where everything is zero, nothing has changed.
        changes.append(_size(one[rows] - other) / max(spread, np.finfo(np.float64).tiny))
    return max(changes)


def _size(values: np.ndarray) -> float:
    """Root of the mean over images of the squared length of a row."""
    return float(np.sqrt(np.mean(np.sum(np.square(values), axis=1))))
