"""Compiled functions run operation by operation.

A step of a tiny run then takes a second or two, and compiling it ten: for tests of a few steps
whose compiled form another test holds.
"""

import contextlib
import warnings

import tensorflow as tf


@contextlib.contextmanager
def eagerly(wanted=True):
    """In this context, whatever is a tf.function is run as it is written."""
    with warnings.catch_warnings():
        # What tf.data calls is compiled all the same.
        warnings.filterwarnings("ignore", "Even though the")
        tf.config.run_functions_eagerly(wanted)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)
