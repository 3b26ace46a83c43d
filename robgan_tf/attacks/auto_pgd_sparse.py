"""Steps of Auto-PGD in L1, which change few values: their number follows the best image."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.attacks.auto_pgd_search import Point, Search, StepRule
from robgan_tf.attacks.ball import IMAGE_MAXIMUM, IMAGE_MINIMUM, flat, in_dtype, per_sample
from robgan_tf.attacks.norm import Norm
from robgan_tf.attacks.samples import choose, draw
from robgan_tf.attacks.sparse_ascent import signs_of_largest

# The paper's constants: the share of steps between checkpoints; the share of values that the first
# steps change; how many times fewer values a step changes than the best image has changed; below
# which share of those that it had changed before it is sparser; how much shorter a step becomes
# where it is not, and the shortest, in radii.
_WINDOW = 0.04
_FIRST_SHARE = 0.2
_FEWER = 1.5
_SPARSER = 0.95
_SHORTER, _SHORTEST = 1.5, 0.1
# Of the noise that the start is made of: the width of the box.
_DEVIATION = IMAGE_MAXIMUM - IMAGE_MINIMUM


class _Steps(NamedTuple):
    """What decides on the next steps: all [N].

    Attributes:
      size: L1 norm of a step.
      values: how many values of an image a step changes, int32.
      changed: how many the best image had changed at the last checkpoint, int32.
    """

    size: tf.Tensor
    values: tf.Tensor
    changed: tf.Tensor


class SparseSteps(StepRule):
    """Algorithm 2 of Croce and Hein, "Mind the box: l1-APGD" (ICML 2021).

    A step moves those values whose gradient is largest, all by the same, and is projected on the
    intersection of ball and box; there is no momentum. At each checkpoint the next steps are made
    as sparse as the best image asks for. Where that has become sparser, the search goes on from it
    with steps of the whole radius, elsewhere steps become shorter.

    Args:
      norm: of the ball.
      as_start: whether the first steps, too, are as sparse as the image where they start asks for;
        otherwise they change a fifth of all values.
    """

    def __init__(self, norm: Norm, as_start: bool = False) -> None:
        self._norm = norm
        self._as_start = as_start

    @override
    def start(
        self,
        images: tf.Tensor,
        epsilon: float | tf.Tensor,
        seeds: tf.Tensor,
        round_number: int | tf.Tensor,
    ) -> tf.Tensor:
        """Returns images with Gaussian noise, projected on ball and box: few values change."""

        def noise(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            return tf.random.stateless_normal(shape, seed, stddev=_DEVIATION, dtype=images.dtype)

        noisy = images + draw(noise, images, seeds, round_number)
        return self._norm.project_within_box(images, noisy, epsilon)

    @override
    def begin(self, images: tf.Tensor, start: Point, epsilon: float | tf.Tensor) -> _Steps:
        size = tf.fill(tf.shape(start.objective), in_dtype(epsilon, images.dtype))
        if self._as_start:
            changed = _changed(images, start.image)
            return _Steps(size, _values_of_step(changed), changed)
        # As if all values had changed: whatever comes then is sparser.
        all_values = tf.zeros_like(start.objective, tf.int32) + tf.shape(flat(images))[1]
        share = tf.math.ceil(_FIRST_SHARE * tf.cast(all_values, tf.float32))
        return _Steps(size, tf.cast(share, tf.int32), all_values)

    @override
    def move(
        self, images: tf.Tensor, search: Search, number: tf.Tensor, epsilon: float | tf.Tensor
    ) -> tf.Tensor:
        del number
        image, gradient, _ = search.current
        step = signs_of_largest(gradient, search.steps.values)
        moved = image + per_sample(search.steps.size, image) * step
        return self._norm.project_within_box(images, moved, epsilon)

    @override
    def adapt(
        self, images: tf.Tensor, search: Search, window: tf.Tensor, epsilon: float | tf.Tensor
    ) -> Search:
        steps: _Steps = search.steps
        is_checkpoint = window > 0
        epsilon = in_dtype(epsilon, images.dtype)
        changed = _changed(images, search.best.image)
        sparser = tf.cast(changed, tf.float32) < _SPARSER * tf.cast(steps.changed, tf.float32)
        shorter = tf.maximum(steps.size / _SHORTER, _SHORTEST * epsilon)
        adapted = _Steps(
            size=tf.where(sparser, epsilon, shorter),
            values=_values_of_step(changed),
            changed=changed,
        )
        return search._replace(
            current=choose(is_checkpoint & sparser, search.best, search.current),
            steps=tf.nest.map_structure(
                lambda new, old: tf.where(is_checkpoint, new, old), adapted, steps
            ),
        )

    @override
    def checkpoints(self, steps: int) -> list[int]:
        """Returns every 25th part of the steps, but at least every step."""
        window = max(int(_WINDOW * steps), 1)
        return list(range(window, steps + 1, window))


def _changed(images: tf.Tensor, attacked: tf.Tensor) -> tf.Tensor:
    """Returns how many values of each image differ from the original's, int32 [N].

    Steps have few lengths, so that values come back to the original's; what rounding leaves there
    would decide on the sparsity of all further steps.
    """
    rounding = 2.0 * np.finfo(images.dtype.as_numpy_dtype).eps
    return tf.math.count_nonzero(flat(tf.abs(attacked - images)) > rounding, axis=1, dtype=tf.int32)


def _values_of_step(changed: tf.Tensor) -> tf.Tensor:
    """Returns how many values a step changes where the best image has changed so many."""
    return tf.maximum(tf.cast(tf.math.ceil(tf.cast(changed, tf.float32) / _FEWER), tf.int32), 1)
