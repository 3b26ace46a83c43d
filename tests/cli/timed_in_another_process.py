"""What `test_thread_choice` has timed: a module that another process imports in a moment."""

import os
import time

from robgan_tf.errors import NonFiniteError, UserError

# Seconds of a step with all cores on each operation, and with one.
SECONDS = {"slower": (1.0, 2.0), "faster": (2.0, 1.0), "hardly faster": (1.02, 1.0)}


def timed(given, way):
    """What another process does; the flags say how it goes."""
    if given.case == "refused":
        raise UserError("it was refused")
    if given.case == "diverged":
        raise NonFiniteError("it was diverged")
    if given.case == "for ever":
        time.sleep(600)
    if given.case == "killed":
        os._exit(9)
    assert given.case in SECONDS, "nothing was to be timed"
    return SECONDS[given.case][way == "one_per_operation"]
