"""Auto-PGD in L1 in plain NumPy, for one sample, to compare with."""

import bisect

import numpy as np


def nearest(image, attacked, epsilon):
    """The nearest point of ball and box: the sum that a threshold leaves is straight in pieces."""
    change = attacked - image
    sizes, room = np.abs(change), 1.0 - np.sign(change) * image

    def left(threshold):
        return np.clip(sizes - threshold, 0.0, room)

    if left(0.0).sum() > epsilon:
        ends = np.unique([0.0, *sizes.ravel(), *np.maximum(sizes - room, 0.0).ravel()])
        # The first end of a piece where no more than the radius is left.
        above = bisect.bisect_left(ends, True, key=lambda end: left(end).sum() <= epsilon)
        low, high = ends[above - 1], ends[above]
        sum_low, sum_high = left(low).sum(), left(high).sum()
        threshold = low + (high - low) * (sum_low - epsilon) / (sum_low - sum_high)
    else:
        threshold = 0.0
    return image + np.sign(change) * left(threshold)


def changed_values(attacked, image):
    """How many values are another, beyond what rounding leaves of steps to and fro."""
    return np.count_nonzero(np.abs(attacked - image) > 2 * np.finfo(float).eps)


class NumpySparseAutoPGD:
    """Algorithm 2 of Croce and Hein (2021) with a checkpoint after every `window` steps."""

    def __init__(self, objective, epsilon, steps, window, from_start=False):
        self.objective = objective
        self.epsilon = epsilon
        self.steps = steps
        self.window = window
        self.from_start = from_start
        self.verdicts = []

    def run(self, image, start):
        """Returns all iterates and the best."""
        point = start
        value, gradient = self.objective(point)
        best, best_value, best_gradient = point, value, gradient
        step_size, changed = self.epsilon, image.size
        moved = int(np.ceil(0.2 * image.size))
        if self.from_start:
            changed = changed_values(start, image)
            moved = max(int(np.ceil(changed / 1.5)), 1)
        iterates = [start]
        for step in range(1, self.steps + 1):
            smallest = np.sort(np.abs(gradient).ravel())[-moved]
            signs = np.sign(gradient) * (np.abs(gradient) >= smallest)
            step_taken = step_size * signs / np.count_nonzero(signs)
            point = nearest(image, point + step_taken, self.epsilon)
            value, gradient = self.objective(point)
            iterates.append(point)
            if value > best_value:
                best, best_value, best_gradient = point, value, gradient
            if step % self.window == 0:
                now = changed_values(best, image)
                sparser = now < 0.95 * changed
                step_size = self.epsilon if sparser else max(step_size / 1.5, self.epsilon / 10)
                moved, changed = max(int(np.ceil(now / 1.5)), 1), now
                if sparser:
                    point, gradient = best, best_gradient
                self.verdicts.append((sparser, step_size == self.epsilon / 10))
        return iterates, best
