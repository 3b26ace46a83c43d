"""What a classifier answered when its results were stored: with other weights they are not used.

A program may load its weights from anywhere, so the digest of its file does not tell them apart.
"""

import json
import pathlib

import numpy as np
import tensorflow as tf

from robgan_tf.adapters.numpy_functions import user_errors
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.robustness.subjects import Classifier

PROBE_IMAGES = 8
# Of the spread of logits: more than another machine or precision changes them.
TOLERANCE = 0.05


def answers(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """Logits [n, K] of the first few images [N, H, W, C] in [-1, 1]."""
    with user_errors():
        logits = classifier.logits(tf.convert_to_tensor(images[:PROBE_IMAGES]))
    return np.asarray(logits, np.float64)


def are_same(found: np.ndarray, before: np.ndarray) -> bool:
    """Whether logits are those of before, but for rounding.

    Args:
      found: [n, K].
      before: what was stored.
    """
    if found.shape != before.shape:
        return False
    return bool(np.abs(found - before).max() <= TOLERANCE * max(before.std(), 1e-12))


def check_answers(classifier: Classifier, images: np.ndarray, path: pathlib.Path) -> None:
    """Stores a classifier's answers; where they are stored already, compares them.

    Args:
      classifier: a Classifier that does not answer by chance.
      images: [N, H, W, C] in [-1, 1]; the first few are used.
      path: JSON file beside the results.

    Raises:
      UserError: if it answers otherwise than when the results were begun.
    """
    found = answers(classifier, images)
    if not path.exists():
        write_atomically(path, json.dumps({"logits": found.tolist()}) + "\n")
        return
    try:
        before = np.array(read_object(path, MEASURE_ANEW)["logits"], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no logits; {MEASURE_ANEW}") from error
    if not are_same(found, before):
        raise UserError(
            f"{path.parent} holds an evaluation of {classifier.name} with other weights: its "
            "logits for the same images differ. Give another --name"
        )
