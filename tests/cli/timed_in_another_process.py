"""What `test_thread_choice` has timed: a module that another process imports in a moment."""

import os

from robgan_tf.errors import UserError

# Seconds of a step with all cores on each operation, and with one.
SECONDS = {"slower": (1.0, 2.0), "faster": (2.0, 1.0), "hardly faster": (1.02, 1.0)}


def timed(given, way):
    """What another process does; the flags say how it goes."""
    if given.case == "refused":
        raise UserError("there is no such data set")
    if given.case == "killed":
        os._exit(9)
    assert given.case in SECONDS, "nothing was to be timed"
    return SECONDS[given.case][way == "one_per_operation"]
