"""Single steps of targeted FAB, ours from the very points where the reference's begin."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from robgan_tf.attacks import fab
from robgan_tf.attacks.objectives import target_classes
from robgan_tf.typing import JsonObject, LogitsFunction
from tools.attack_comparison.libraries import Libraries
from tools.attack_comparison.subject import FORM, Subject

# Two pixels of [-1, 1] may be so far apart.
MOST_APART = 1e-5


def compare_steps(
    subject: Subject, reference: Libraries, norm: str, epsilon: float, rows: np.ndarray, steps: int
) -> JsonObject:
    """Runs the reference towards the most likely wrong class and makes each of its steps again.

    Args:
      subject: a Subject.
      reference: the reference's process, with the same images.
      norm: name of the norm.
      epsilon: radius on [-1, 1].
      rows: numbers of the images, int [M].
      steps: number of steps, each compared alone.

    Returns:
      Dict of the largest differences of pixels on [-1, 1]: where the hyperplane is the reference's,
      and where it is that of our own D.
    """
    theirs = _traced(reference, norm, epsilon, rows, steps)
    images, labels = tf.constant(subject.images[rows]), tf.constant(subject.labels[rows])
    logits = subject.classifier.logits
    targets = target_classes(logits(images), labels, 0)
    largest = {"given_hyperplane": 0.0, "own_hyperplane": 0.0}
    for current, normals, values, moved in zip(
        *(theirs[name] for name in ("current", "normals", "values", "moved")), strict=True
    ):
        own = hyperplane_of(logits, tf.constant(current), labels, targets)
        for name, (normal, value) in (
            ("given_hyperplane", (tf.constant(normals), tf.constant(values))),
            ("own_hyperplane", own),
        ):
            ours = fab.step(tf.constant(current), images, normal, value, norm)
            largest[name] = max(largest[name], float(np.abs(ours - moved).max()))
    return {
        "images": len(rows),
        "steps": len(theirs["current"]),
        "largest_difference": largest,
        "met": largest["given_hyperplane"] <= MOST_APART,
    }


def hyperplane_of(
    logits: LogitsFunction, images: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Gradient [M, ...] and value [M] of the logit of the target less that of the label."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        values = logits(images)
        difference = tf.gather(values, targets, axis=1, batch_dims=1)
        difference -= tf.gather(values, labels, axis=1, batch_dims=1)
    return tape.gradient(difference, images), difference


def _traced(
    reference: Libraries, norm: str, epsilon: float, rows: np.ndarray, steps: int
) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder) / "trace.npz"
        asked = {"form": FORM, "rows": rows.tolist(), "seed": 0, "n_iter": steps}
        ball = {"norm": norm, "epsilon": epsilon}
        reference.attack({"attack": "fab_steps", **ball, **asked, "trace": str(trace)})
        with np.load(trace) as found:
            return dict(found)
