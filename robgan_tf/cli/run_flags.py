"""The flags that every command that trains has besides `data_flag`."""

import os
import pathlib
import shlex
import sys

from absl import flags

from robgan_tf.cli import data_flag

_GIN_FILE = flags.DEFINE_multi_string(
    "gin_file", [], "A gin file; repeat it to lay further files (gin/losses/...) over the first."
)
_GIN_PARAM = flags.DEFINE_multi_string(
    "gin_param", [], "A single binding such as train.steps=1000; repeatable."
)
_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "The run directory; runs/<name of the first gin file> by default."
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print the configuration, the models and the data shapes, and exit."
)


def gin_files():
    """The given gin files, the lowest first."""
    return _GIN_FILE.value


def gin_params():
    """The given single bindings."""
    return _GIN_PARAM.value


def run_dir():
    """The run directory, given or by default; at least one gin file must be given."""
    return _RUN_DIR.value or os.path.join("runs", pathlib.Path(_GIN_FILE.value[0]).stem)


def is_dry_run():
    """Whether only a description is asked for."""
    return _DRY_RUN.value


def continuation(module, steps_name, steps, more_flags):
    """The command line that continues the run to a number of steps.

    Args:
      module: the command's module.
      steps_name: name of the setting that holds the number of steps.
      steps: how many.
      more_flags: the command's own flags; those that were given are given again.
    """
    given = [f"--gin_file={path}" for path in _GIN_FILE.value]
    given += [
        f"--gin_param={binding}"
        for binding in _GIN_PARAM.value
        if binding.partition("=")[0].strip() != steps_name
    ]
    given.append(f"--gin_param={steps_name}={steps}")
    for flag in (data_flag.DATA_DIR, *more_flags):
        if flag.present:
            given.append(f"--{flag.name}={flag.value}")
    given.append(f"--run_dir={run_dir()}")
    return command_line(module, *given)


def command_line(module, *arguments):
    """A command line of this Python, for people to copy."""
    return shlex.join([os.path.relpath(sys.executable), "-m", module, *arguments])
