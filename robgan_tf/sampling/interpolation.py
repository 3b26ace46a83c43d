"""From one point to another: between latents along a sphere, between classes in a straight line."""

import numpy as np

# Below this angle, in radians, the arc is a straight line to the precision of float32.
_STRAIGHT = 1e-4


def spherical(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Interpolates between two latents, in equal angles and with a norm that changes evenly.

    A straight line would pass closer to 0 than almost all latents of the normal distribution lie
    (White, "Sampling Generative Networks", 2016; the arc is Shoemake's, 1985).

    Args:
      first: [Z], not 0.
      second: [Z], not 0 and not opposite to the first.
      count: how many points, the two ends among them; at least 2.

    Returns:
      float32 array [count, Z]; its ends are exactly the two latents.

    Raises:
      ValueError: if there are many arcs or none from one to the other.
    """
    ends = np.stack([first, second]).astype(np.float64)
    norms = np.linalg.norm(ends, axis=1, keepdims=True)
    if not norms.all():
        raise ValueError("a latent of 0 has no direction to start from")
    directions = ends / norms
    # The angle from its half: the arc cosine would be imprecise for small angles.
    angle = 2 * np.arctan2(
        np.linalg.norm(directions[1] - directions[0]),
        np.linalg.norm(directions[1] + directions[0]),
    )
    if np.pi - angle < _STRAIGHT:
        raise ValueError("opposite latents have no single arc between them")
    along = np.linspace(0.0, 1.0, count)[:, None]
    shares = np.hstack([1.0 - along, along])
    # Its weights of the two directions; their common divisor goes with the norm.
    arc = shares if angle < _STRAIGHT else np.sin(shares * angle)
    points = arc @ directions
    points *= (shares @ norms) / np.linalg.norm(points, axis=1, keepdims=True)
    points[[0, -1]] = ends
    return points.astype(np.float32)


def class_mixtures(first: int, second: int, num_classes: int, count: int) -> np.ndarray:
    """Interpolates between two classes.

    Args:
      first: label of the first class.
      second: label of the second class.
      num_classes: of the generator.
      count: how many points, the two ends among them; at least 2.

    Returns:
      float32 array [count, num_classes], weights for `ResNetGenerator`; its ends are one-hot.
    """
    along = np.linspace(0.0, 1.0, count)[:, None]
    one_hot = np.eye(num_classes)
    return ((1.0 - along) * one_hot[first] + along * one_hot[second]).astype(np.float32)
