"""Whether a checkpoint on disk holds what is in memory, tensor by tensor."""

import collections
from typing import Any

import numpy as np
import tensorflow as tf

from robgan_tf.errors import machine_fault, one_line

BEST_VALUE = "best_value"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def first_difference(checkpoint: tf.train.Checkpoint, prefix: str) -> str | None:
    """Reads every tensor of a checkpoint and compares each variable's bytes.

    Args:
      checkpoint: of the objects in memory.
      prefix: path prefix of the checkpoint on disk.

    Returns:
      A few words on the first difference or what cannot be read; None if all is equal.
    """
    wanted = variables(checkpoint)
    try:
        reader = tf.train.load_checkpoint(prefix)
        stored = reader.get_variable_to_shape_map()
        for name in sorted(stored):
            value = reader.get_tensor(name)
            if name in wanted and not _are_same(value, wanted.pop(name).numpy()):
                return f"{name.removesuffix(_SUFFIX)} read back is another"
    except (ValueError, IndexError, RuntimeError, tf.errors.OpError) as error:
        if machine_fault(error) is not None:
            raise  # It could not be looked at.
        return f"it cannot be read back ({one_line(error)})"
    if wanted:
        return f"{min(wanted).removesuffix(_SUFFIX)} is not in it"
    return None


def first_non_finite(checkpoint: tf.train.Checkpoint) -> str | None:
    """The name of the first variable, of those of a checkpoint's objects, that is not finite.

    Args:
      checkpoint: of the objects in memory.

    Returns:
      Its name in the checkpoint; None where all are finite.
    """
    for name, variable in variables(checkpoint).items():
        is_measure = name.removesuffix(_SUFFIX) == BEST_VALUE  # -inf until there is one.
        if is_measure or not tf.as_dtype(variable.dtype).is_floating:
            continue
        # A sum is finite only if every element is, and costs one pass.
        if not np.isfinite(float(tf.reduce_sum(tf.cast(variable, tf.float64)))):
            return name.removesuffix(_SUFFIX)
    return None


def variables(checkpoint: tf.train.Checkpoint) -> dict[str, Any]:
    """The variables of a checkpoint's objects by the names that it stores them under."""
    view = tf.train.TrackableView(checkpoint)
    # With each object itself, so that its identity is no other's meanwhile.
    paths = {id(checkpoint): ("", checkpoint)}
    found, waiting = {}, collections.deque([checkpoint])
    while waiting:
        parent = waiting.popleft()
        for name, child in view.children(parent).items():
            if id(child) in paths:
                continue
            # As TensorFlow names them: by the shortest path, with / and . escaped.
            escaped = name.replace(".", "..").replace("/", ".S")
            path = f"{paths[id(parent)][0]}/{escaped}".lstrip("/")
            paths[id(child)] = (path, child)
            waiting.append(child)
            if hasattr(child, "numpy") and hasattr(child, "assign"):
                found[path + _SUFFIX] = child
    return found


def _are_same(one: np.ndarray, other: np.ndarray) -> bool:
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )
