"""Trains Rob-GAN jointly: generator, discriminator and attacker.

    python -m robgan_tf.train --gin_file=gin/cifar10.gin

The same command on the same run directory continues where the run stopped.
"""

import os
import pathlib
import shlex
import sys

from absl import flags

from robgan_tf import command
from robgan_tf.configuration import read_settings
from robgan_tf.errors import UserError
from robgan_tf.settings import CONFIGURABLES, TrainSettings

_GIN_FILE = flags.DEFINE_multi_string(
    "gin_file", [], "A gin file; repeat it to lay further files (gin/losses/...) over the first."
)
_GIN_PARAM = flags.DEFINE_multi_string(
    "gin_param", [], "A single binding such as train.steps=1000; repeatable."
)
_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "The run directory; runs/<name of the first gin file> by default."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where the data is; TFDS_DATA_DIR or the TFDS default if not given."
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print the configuration, the models and the data shapes, and exit."
)
_WARM_START = flags.DEFINE_string(
    "warm_start", None, "Another run's directory: start a new run from its newest weights."
)


def main():
    """Runs the command; returns its exit status."""
    if not _GIN_FILE.value:
        raise UserError("no configuration: give --gin_file, for instance gin/quickstart.gin")
    settings = read_settings(_GIN_FILE.value, _GIN_PARAM.value, CONFIGURABLES)
    # TensorFlow takes seconds to load: a misspelt binding should not have to wait for it.
    from robgan_tf.training.joint_run import JointRun

    run_dir = _RUN_DIR.value or os.path.join("runs", pathlib.Path(_GIN_FILE.value[0]).stem)
    data_dir = _DATA_DIR.value or os.environ.get("TFDS_DATA_DIR")
    joint_run = JointRun(settings, run_dir, data_dir, _WARM_START.value)
    if _DRY_RUN.value:
        joint_run.describe()
        return 0
    stop = joint_run.train()
    if stop is not None:
        return stop.exit_status
    longer = 2 * settings[TrainSettings].steps
    print(f"Next: train longer with\n  {_command_for(run_dir, longer)}")
    return 0


def _command_for(run_dir, steps):
    """The command line that continues this run to a number of steps."""
    given = [f"--gin_file={path}" for path in _GIN_FILE.value]
    given += [
        f"--gin_param={binding}"
        for binding in _GIN_PARAM.value
        if binding.partition("=")[0].strip() != "train.steps"
    ]
    given.append(f"--gin_param=train.steps={steps}")
    for flag in (_DATA_DIR, _WARM_START):
        if flag.value:
            given.append(f"--{flag.name}={flag.value}")
    given.append(f"--run_dir={run_dir}")
    return shlex.join([os.path.relpath(sys.executable), "-m", "robgan_tf.train", *given])


if __name__ == "__main__":
    command.run(main)
