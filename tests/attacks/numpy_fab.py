"""FAB of one image in NumPy, after algorithm 1 of the paper; projections by bisection."""

import numpy as np

DUAL = {"linf": 1, "l2": 2, "l1": np.inf}
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}


def distance(change, norm):
    return np.linalg.norm(np.ravel(change), ord=ORDER[norm])


def project(point, normal, value, norm):
    """The nearest point in [-1, 1] to a flat one at which value + <normal, change> is 0."""
    ends = np.where(value * normal > 0, -1.0, 1.0)
    room = np.where(normal != 0, np.abs(ends - point), 0.0)
    ways = np.where(normal != 0, np.sign(ends - point), 0.0)

    # Along the order of the largest weights, `level` coordinates are full.
    order = np.argsort(-np.abs(normal), kind="stable")
    places = np.arange(len(room))

    def lengths(level):
        if norm == "linf":
            return np.minimum(level, room)
        if norm == "l2":
            return np.minimum(level * np.abs(normal), room)
        result = np.zeros_like(room)
        result[order] = room[order] * np.clip(level - places, 0.0, 1.0)
        return result

    low, high = 0.0, float(len(room)) if norm == "l1" else 1.0
    while norm != "l1" and np.any(lengths(high) < room):
        high *= 2.0
        if high > 1e30:
            break
    # To the last bit.
    while low < (middle := (low + high) / 2.0) < high:
        if np.sum(np.abs(normal) * lengths(middle)) < abs(value):
            low = middle
        else:
            high = middle
    return point + ways * lengths(high)


def step(current, original, normal, value, norm):
    """From one image to the next, all flat."""
    one = project(current, normal, value, norm) - current
    other = project(original, normal, value + normal @ (original - current), norm) - original
    far, far_of_original = distance(one, norm), distance(other, norm)
    both = far + far_of_original
    weight = min(far / both, 0.1) if both else 0.0
    moved = (1.0 - weight) * (current + 1.05 * one) + weight * (original + 1.05 * other)
    return np.clip(moved, -1.0, 1.0)


def run(image, label, logits, jacobian, norm, steps, rank=None, start=None):
    """The nearest adversarial image and its distance.

    Args:
      image: flat, in [-1, 1].
      label: its class.
      logits: function from a flat image to [K].
      jacobian: function from a flat image to [K, D].
      norm: name of the norm.
      steps: their number.
      rank: of the wrong class that is aimed at; None for the nearest of all.
      start: flat; the image unless given.
    """
    others = [k for k in range(len(logits(image))) if k != label]
    if rank is not None:
        others = [sorted(others, key=lambda k: -logits(image)[k])[rank]]
    current = image if start is None else start
    best, best_distance = image, np.inf
    for _ in range(steps):
        values, slopes = logits(current), jacobian(current)
        values, slopes = values - values[label], slopes - slopes[label]
        apart = [abs(values[k]) / np.linalg.norm(slopes[k], ord=DUAL[norm]) for k in others]
        nearest = others[int(np.argmin(apart))]
        current = step(current, image, slopes[nearest], values[nearest], norm)
        if np.argmax(logits(current)) != label:
            far = distance(current - image, norm)
            if far < best_distance:
                best, best_distance = current, far
            current = 0.1 * image + 0.9 * current
    return search(image, best, label, logits, norm) if best_distance < np.inf else (image, np.inf)


def search(inner, outer, label, logits, norm):
    """Three steps of regula falsi between an image and an adversarial one."""
    image = inner
    for _ in range(3):
        rival = np.argmax(logits(outer))
        before = logits(inner)[label] - logits(inner)[rival]
        beyond = logits(outer)[rival] - logits(outer)[label]
        share = before / (before + beyond)
        between = (1.0 - share) * inner + share * outer
        if np.argmax(logits(between)) == label:
            inner = between
        else:
            outer = between
    return outer, distance(outer - image, norm)
