"""What has to be computed at once although a graph is being traced."""

import contextlib
from contextlib import AbstractContextManager

import tensorflow as tf


def outside_graphs() -> AbstractContextManager[None]:
    """A block in which operations run at once, and variables are made, even within a graph.

    Initial values that are functions of each other need it: the first call of what was not built
    may be within `tf.function` or `fit`, where they would be symbols.
    """
    return contextlib.nullcontext() if tf.executing_eagerly() else tf.init_scope()
