"""Tests that the stack of TensorFlow Addons cannot pass, each with its reason.

None is of layers, models, steps, checkpoints, attacks or export.
"""

# By the file, or the test in it.
REASONS: dict[str, str] = {}
