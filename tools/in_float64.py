"""A command whose networks compute in float64.

    python -m tools.in_float64 robgan_tf.train --gin_file=gin/quickstart.gin ...

For comparisons in which rounding must not hide a difference, or look like one.
"""

import runpy
import sys

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported

# isort: split
import keras


def main() -> None:
    """Sets Keras's types and runs the module."""
    keras.backend.set_floatx("float64")
    keras.mixed_precision.set_global_policy("float64")
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
