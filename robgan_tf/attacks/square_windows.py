"""Windows of the Square attack: where they are, how large, and the patches that go into them."""

import abc
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

# The share of an image that one query changes is halved after each of these queries of 10,000.
HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_TILES = 5  # A side of the start; fewer where the image is too small for them.


class WindowMoves(abc.ABC):
    """Starts with tiles of patches; a query moves perturbation from one window to another.

    Args:
      images: [N, H, W, C] the originals, H == W.
      epsilon: radius of the ball.
      initial_share: share of the image that the first windows cover.
    """

    def __init__(self, images: tf.Tensor, epsilon: float | tf.Tensor, initial_share: float) -> None:
        _, _, self._size, self._channels = images.shape
        self._images = images
        self._epsilon = tf.cast(epsilon, images.dtype)
        sides = square_sides(initial_share, self._size, least=3)
        self._sides = tf.constant(sides)
        self._outside = max(sides)  # A row and column of zeros that pads all patches.
        patches = [self.patch(side) for side in sides]
        self._patches = tf.constant(_padded(patches), images.dtype)
        self._tile = -(-self._size // _TILES)
        self._grid = -(-self._size // self._tile)
        self.start_lanes = self._grid**2 * (1 + self._channels)
        self.lanes = 5 + self._channels

    def start(self, draws: tf.Tensor) -> tf.Tensor:
        """Returns the first images, made of random numbers [N, start_lanes]."""
        draws = tf.reshape(draws, [-1, self._grid, self._grid, 1 + self._channels])
        draws = tf.repeat(tf.repeat(draws, self._tile, axis=1), self._tile, axis=2)
        draws = draws[:, : self._size, : self._size]
        plain = np.tile(self.patch(self._tile), [self._grid, self._grid])
        plain = plain[: self._size, : self._size]
        plain = tf.constant(plain[:, :, None], self._images.dtype)
        tiles = tf.where(draws[..., :1] < 0.5, plain, tf.transpose(plain, [1, 0, 2]))
        return self._within_ball_and_box(self._of_tiles(tiles * self._signs(draws[..., 1:])))

    def propose(self, attacked: tf.Tensor, draws: tf.Tensor, stage: tf.Tensor) -> tf.Tensor:
        """Makes one proposal (the paper's algorithm 3).

        The first window takes over what it and the second hold, and what the ball leaves unused, in
        the direction of its old content plus a signed patch.

        Args:
          attacked: [N, H, W, C] the best images so far.
          draws: random numbers [N, lanes].
          stage: how often the share has been halved.
        """
        side = self._sides[stage]
        places = tf.unstack(corners(draws[:, :4], side, self._size), axis=1)
        first_rows, first_columns, second_rows, second_columns = (
            offsets(corner, self._size) for corner in places
        )
        first = inside(first_rows, first_columns, side)
        second = inside(second_rows, second_columns, side)
        patch = self._placed(first_rows, first_columns, side, stage, turned=draws[:, 4] < 0.5)
        patch = patch[..., None] * self._signs(draws[:, None, None, 5:])

        perturbation = attacked - self._images
        freed = tf.where(first | second, perturbation, 0.0)
        direction = self._unit(patch + self._unit(tf.where(first, perturbation, 0.0)))
        moved = perturbation - freed + direction * self._length(perturbation, freed)
        return self._within_ball_and_box(moved)

    @staticmethod
    @abc.abstractmethod
    def patch(side: int) -> np.ndarray:
        """Returns what goes into a window: float64 [side, side] of length 1."""

    @abc.abstractmethod
    def _of_tiles(self, tiles: tf.Tensor) -> tf.Tensor:
        """Returns the first perturbation, [N, H, W, C], made of signed patches."""

    @abc.abstractmethod
    def _unit(self, perturbation: tf.Tensor) -> tf.Tensor:
        """Returns each channel scaled to length 1 (zero where it is zero)."""

    @abc.abstractmethod
    def _length(self, perturbation: tf.Tensor, freed: tf.Tensor) -> tf.Tensor:
        """Returns the length that the first window may have in each channel, [N, 1, 1, C].

        Args:
          perturbation: [N, H, W, C] so far.
          freed: [N, H, W, C] what the two windows hold of it.
        """

    @abc.abstractmethod
    def _within_ball_and_box(self, perturbation: tf.Tensor) -> tf.Tensor:
        """Returns images within ball and box."""

    def _placed(
        self,
        rows: tf.Tensor,
        columns: tf.Tensor,
        side: tf.Tensor,
        stage: tf.Tensor,
        turned: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the unit patch of a stage at its place in each image, [N, H, W]."""
        rows, columns = (
            tf.where((at >= 0) & (at < side), at, self._outside) for at in (rows, columns)
        )
        rows, columns = rows[:, :, None], columns[:, None, :]
        width = self._outside + 1
        index = tf.where(turned[:, None, None], columns * width + rows, rows * width + columns)
        return tf.gather(self._patches[stage], index)

    def _signs(self, draws: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.where(draws < 0.5, 1.0, -1.0), self._images.dtype)


def square_sides(initial_share: float, size: int, least: int) -> list[int]:
    """Sides of the squares at each stage of the schedule.

    Args:
      initial_share: share of the image that the first squares cover.
      size: side of the image.
      least: the smallest side, where the image is large enough for it.

    Returns:
      A list of integers from 1 to size - 1, one per stage.
    """
    shares = [initial_share / 2**stage for stage in range(len(HALVED_AFTER) + 1)]
    sides = [max(round(size * share**0.5), least) for share in shares]
    return [max(min(side, size - 1), 1) for side in sides]


def bumps(side: int, decay: int) -> np.ndarray:
    """Two bumps of opposite sign side by side, as in the paper's equation (2).

    Args:
      side: rows and columns.
      decay: power of the distance with which a bump falls; 2 in the paper.

    Returns:
      float64 [side, side], of whatever length.
    """
    left = side // 2
    return np.concatenate([_bump(side, left, decay), -_bump(side, side - left, decay)], axis=1)


def _bump(height: int, width: int, decay: int) -> np.ndarray:
    # In the paper a sum of 1 / (n + 1 - k)^2 over k up to n - distance; here over j = n + 1 - k.
    n = height // 2
    rows, columns = abs(np.arange(height) - n), abs(np.arange(width) - width // 2)
    by_distance = np.cumsum(1.0 / np.arange(n + 1, 0, -1) ** decay)[::-1]
    return by_distance[np.maximum(rows[:, None], columns[None, :])]


def _padded(patches: Sequence[np.ndarray]) -> np.ndarray:
    """Returns square patches, followed by zeros up to the largest + 1, [patches, values]."""
    most = max(len(patch) for patch in patches) + 1
    padded = [np.pad(patch, (0, most - len(patch))) for patch in patches]
    return np.reshape(padded, [len(patches), most**2])


def corners(draws: tf.Tensor, side: tf.Tensor, size: int) -> tf.Tensor:
    """Returns uniform first rows or columns of squares within the image, int32."""
    return tf.cast(draws * tf.cast(size - side + 1, draws.dtype), tf.int32)


def offsets(corners: tf.Tensor, size: int) -> tf.Tensor:
    """Returns how far each row (or column) of an image is from its square's first, [N, size]."""
    return tf.range(size) - corners[:, None]


def inside(row_offsets: tf.Tensor, column_offsets: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Returns whether each pixel is in its image's square, [N, H, W, 1]."""
    rows, columns = ((offsets >= 0) & (offsets < side) for offsets in (row_offsets, column_offsets))
    return rows[:, :, None, None] & columns[:, None, :, None]
