"""Projections on hyperplanes within the box of images: the least change that is enough.

FAB's (Croce and Hein, ICML 2020): a quadratic programme in L2, linear ones in L-infinity and L1.
Which way a coordinate goes is settled; how far, from 0 to the end of the box, is known up to one
number a point. The functions below find it exactly, without sorting, which takes several times as
long.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from robgan_tf.attacks.ball import (
    IMAGE_MAXIMUM,
    IMAGE_MINIMUM,
    of_largest_one,
)


class _Geometry(NamedTuple):
    """What a norm makes of hyperplanes.

    Attributes:
      dual: the dual norm of normals [M, D], [M].
      lengths: how far each coordinate goes, [M, D], of absolute weights [M, D], at most 1, rooms
        [M, D] and gaps [M], at most the sum of weights times rooms.
    """

    dual: Callable[[tf.Tensor], tf.Tensor]
    lengths: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def project(points: tf.Tensor, normals: tf.Tensor, values: tf.Tensor, norm: str) -> tf.Tensor:
    """The smallest changes that bring points to their hyperplanes, and keep them in [-1, 1].

    A change c of a point x with f(x) = value solves min |c| subject to f(x) + <normal, c> = 0 and
    x + c in the box. Where the box does not reach the hyperplane, it goes as near as the box does.
    Coordinates in which the normal is 0 stay.

    Args:
      points: [M, D] in [-1, 1].
      normals: [M, D], finite; of any scale. Where one is 0, its point stays.
      values: [M], those of the linear functions at the points.
      norm: of the change, a name in `NORMS`.

    Returns:
      The changes, [M, D].
    """
    points, normals, values = (tf.convert_to_tensor(x) for x in (points, normals, values))
    largest = tf.reduce_max(tf.abs(normals), axis=1)
    unit = of_largest_one(normals)
    directions = -tf.sign(values)[:, None] * tf.sign(unit)
    rooms = tf.where(directions > 0.0, IMAGE_MAXIMUM - points, points - IMAGE_MINIMUM)
    rooms = tf.where(directions != 0.0, tf.nn.relu(rooms), 0.0)
    weights = tf.abs(unit)
    # Of a normal that is 0 there is no hyperplane.
    gaps = tf.math.divide_no_nan(tf.abs(values), largest)
    reach = tf.reduce_sum(weights * rooms, axis=1)
    lengths = _GEOMETRIES[norm].lengths(weights, rooms, tf.minimum(gaps, reach))
    return directions * tf.where((gaps < reach)[:, None], lengths, rooms)


def distances(normals: tf.Tensor, values: tf.Tensor, norm: str) -> tf.Tensor:
    """How far points are from their hyperplanes where there is no box.

    Args:
      normals: [M, D].
      values: [M], those of the linear functions at the points.
      norm: a name in `NORMS`.

    Returns:
      [M]; infinite where the normal is 0.
    """
    normals, values = tf.convert_to_tensor(normals), tf.convert_to_tensor(values)
    largest = tf.reduce_max(tf.abs(normals), axis=1)
    dual = _GEOMETRIES[norm].dual(of_largest_one(normals))
    nowhere = tf.constant(float("inf"), values.dtype)
    # The dual norm of what is at most 1, and 1 somewhere, is at least 1.
    apart = tf.math.divide_no_nan(tf.abs(values), largest) / tf.maximum(dual, 1.0)
    return tf.where(largest > 0.0, apart, nowhere)


def _equal_lengths(weights: tf.Tensor, rooms: tf.Tensor, gaps: tf.Tensor) -> tf.Tensor:
    """L-infinity: all go equally far, but for those that the box stops."""
    level = _level(weights, tf.ones([1, 1], weights.dtype), rooms, gaps)
    return tf.minimum(level[:, None], rooms)


def _proportional_lengths(weights: tf.Tensor, rooms: tf.Tensor, gaps: tf.Tensor) -> tf.Tensor:
    """L2: each goes as far as its weight says, but for those that the box stops."""
    level = _level(weights, weights, rooms, gaps)
    return tf.minimum(level[:, None] * weights, rooms)


def _level(weights: tf.Tensor, rates: tf.Tensor, rooms: tf.Tensor, gaps: tf.Tensor) -> tf.Tensor:
    """Solves sum over coordinates of weight min(level rate, room) = gap for the level, [M].

    The sum is concave and piecewise linear in the level. So Newton's method from 0 rises to the
    solution, and is there once no more coordinates are stopped by the box.
    """
    slopes, contents = weights * rates, weights * rooms

    def rise(level: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        free = level[:, None] * rates < rooms
        slope = tf.reduce_sum(tf.where(free, slopes, 0.0), axis=1)
        stopped = tf.reduce_sum(tf.where(~free, contents, 0.0), axis=1)
        risen = tf.maximum(tf.math.divide_no_nan(gaps - stopped, slope), level)
        return risen, tf.reduce_any(risen > level)

    level, _ = tf.while_loop(lambda _, rises: rises, rise, (tf.zeros_like(gaps), True))
    return level


def _greedy_lengths(weights: tf.Tensor, rooms: tf.Tensor, gaps: tf.Tensor) -> tf.Tensor:
    """L1: those of the largest weights go as far as the box lets them, the others stay.

    The weight at which the gap is closed is found by bisection on the bits of the numbers, whose
    order is that of integers. Coordinates of that very weight share what is left of the gap.
    """
    bits = tf.bitcast(weights, {tf.float32: tf.int32, tf.float64: tf.int64}[weights.dtype])
    contents = weights * rooms
    above_one = tf.bitcast(tf.ones_like(gaps), bits.dtype) + 1

    def of_bits(condition: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.where(condition, contents, 0.0), axis=1)

    def halve(lower: tf.Tensor, upper: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        middle = lower + (upper - lower) // 2
        enough = of_bits(bits >= middle[:, None]) >= gaps
        return tf.where(enough, middle, lower), tf.where(enough, upper, middle)

    last, _ = tf.while_loop(
        lambda lower, upper: tf.reduce_any(upper - lower > 1),
        halve,
        (tf.zeros_like(above_one), above_one),
    )
    full, shared = bits > last[:, None], bits == last[:, None]
    left = tf.nn.relu(gaps - of_bits(full))
    share = tf.minimum(tf.math.divide_no_nan(left, of_bits(shared)), 1.0)
    return tf.where(full, rooms, tf.where(shared, rooms * share[:, None], 0.0))


def _length(normals: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(tf.square(normals), axis=1))


_GEOMETRIES = {
    "linf": _Geometry(lambda normals: tf.reduce_sum(tf.abs(normals), axis=1), _equal_lengths),
    "l2": _Geometry(_length, _proportional_lengths),
    "l1": _Geometry(lambda normals: tf.reduce_max(tf.abs(normals), axis=1), _greedy_lengths),
}

NORMS = tuple(_GEOMETRIES)  # In which it projects.
