"""How many of the cores work on one operation."""

import os

import tensorflow as tf

from robgan_tf.config.groups import ONE_PER_OPERATION
from robgan_tf.training.cluster import workers_of_environment

# Whether this process's operations have one core each because somebody asked for it here.
_was_given_one = False


def set_threads(threads: str) -> None:
    """Gives an operation one core, if that is asked for; otherwise all is left to TensorFlow.

    Threads are set up once a process. In one that has set them up otherwise it says so: results
    are the same to rounding.

    Args:
      threads: "one_per_operation", or anything else.
    """
    wants_one = threads == ONE_PER_OPERATION
    if (wants_one and _gives_one()) or (not wants_one and not _was_given_one):
        return
    print(
        f"Note       threads = {threads!r} needs a new process: this one has used TensorFlow, "
        "whose threads stay as they are",
        flush=True,
    )


def no_choice() -> str | None:
    """Why it makes no difference here; None where it does."""
    if _cores() == 1:
        return "this process has one core"
    if tf.config.list_physical_devices("GPU"):
        return "there is a GPU"
    if workers_of_environment().count > 1:
        return "there are several workers"
    return None if _is_unused() else "this process has used TensorFlow already"


def check_unused() -> None:
    """Raises RuntimeError if this process has used TensorFlow: what is set here is fixed then."""
    count = tf.config.threading.get_inter_op_parallelism_threads()
    tf.config.threading.set_inter_op_parallelism_threads(count + 1)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def _gives_one() -> bool:
    global _was_given_one
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError:
        return False
    _was_given_one = True
    return True


def _is_unused() -> bool:
    try:
        check_unused()
    except RuntimeError:
        return False
    return True


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
