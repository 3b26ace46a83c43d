"""Auto-PGD in plain NumPy, to compare with."""

import numpy as np


class NumpyAutoPGD:
    """The algorithm for one sample as the paper states it, with every objective it saw."""

    def __init__(self, objective, epsilon, norm, steps):
        self.objective = objective
        self.epsilon = epsilon
        self.norm = norm
        self.steps = steps
        self.verdicts = []

    def project(self, image, point):
        change = point - image
        if self.norm == "linf":
            change = np.clip(change, -self.epsilon, self.epsilon)
        elif np.linalg.norm(change) > self.epsilon:
            change = change * self.epsilon / np.linalg.norm(change)
        return np.clip(image + change, -1.0, 1.0)

    def ascend(self, image, point, gradient, step_size):
        unit = np.sign(gradient) if self.norm == "linf" else gradient / np.linalg.norm(gradient)
        return self.project(image, point + step_size * unit)

    def run(self, image, start, ends):
        """Returns all iterates and the highest objective."""
        point = before = start
        value, gradient = self.objective(point)
        best, best_value, best_gradient = point, value, gradient
        step_size = 2.0 * self.epsilon
        iterates, pairs = [start], []
        step_sizes, best_values = [step_size], [value]  # At the checkpoints, 0 being one.
        for step in range(1, self.steps + 1):
            moved = self.ascend(image, point, gradient, step_size)
            if step > 1:
                moved = point + 0.75 * (moved - point) + 0.25 * (point - before)
            old_value, before = value, point
            point = self.project(image, moved)
            value, gradient = self.objective(point)
            iterates.append(point)
            pairs.append((old_value, value))
            if value > best_value:
                best, best_value, best_gradient = point, value, gradient
            if step in ends:
                oscillates = sum(new > old for old, new in pairs) <= 0.75 * len(pairs)
                same_step = len(step_sizes) == 1 or step_sizes[-1] == step_sizes[-2]
                same_best = best_values[-1] == best_value
                if oscillates or (same_step and same_best):
                    step_size /= 2.0
                    point, value, gradient = best, best_value, best_gradient
                self.verdicts.append((oscillates, same_step, same_best))
                step_sizes.append(step_size)
                best_values.append(best_value)
                pairs = []
        return iterates, best_value
