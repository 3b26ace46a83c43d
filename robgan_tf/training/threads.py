"""How many of the cores work on one operation."""

import os

import tensorflow as tf

from robgan_tf.config.groups import ONE_PER_OPERATION
from robgan_tf.training.cluster import workers_of_environment


def set_threads(threads: str) -> None:
    """Gives an operation one core, if that is asked for; otherwise all is left to TensorFlow.

    Threads are set up once a process. In one that has used TensorFlow already it says so: results
    are the same to rounding.

    Args:
      threads: "one_per_operation", or anything else.
    """
    if threads == ONE_PER_OPERATION and not _gives_one():
        print(
            f"Note       threads = {threads!r} needs a new process; this one has used TensorFlow, "
            "whose threads stay as they are",
            flush=True,
        )


def is_choice() -> bool:
    """Whether it makes a difference here: several cores, no GPU, one worker, an unused process."""
    if _cores() == 1 or tf.config.list_physical_devices("GPU"):
        return False
    return workers_of_environment().count == 1 and _is_unused()


def check_unused() -> None:
    """Raises RuntimeError if this process has used TensorFlow: what is set here is fixed then."""
    count = tf.config.threading.get_inter_op_parallelism_threads()
    tf.config.threading.set_inter_op_parallelism_threads(count + 1)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def _is_unused() -> bool:
    try:
        check_unused()
    except RuntimeError:
        return False
    return True


def _gives_one() -> bool:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError:
        return False
    return True


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
