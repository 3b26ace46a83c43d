"""Trains Rob-GAN jointly: generator, discriminator and attacker.

    python -m robgan_tf.train --gin_file=gin/cifar10.gin

The same command on the same run directory continues where the run stopped.
"""

from absl import flags

from robgan_tf import command, data_flag, run_flags
from robgan_tf.configuration import read_settings
from robgan_tf.errors import UserError
from robgan_tf.settings import TRAINING_SETTINGS, TrainSettings

_WARM_START = flags.DEFINE_string(
    "warm_start", None, "Another run's directory: start a new run from its newest weights."
)
_FEATURES = flags.DEFINE_string(
    "features",
    "pixels",
    "What image quality is measured on while training: pixels (averaged to 8 x 8), or as in "
    "evaluate quality.",
)


def main():
    """Runs the command; returns its exit status."""
    if not run_flags.gin_files():
        raise UserError("no configuration: give --gin_file, for instance gin/quickstart.gin")
    settings = read_settings(run_flags.gin_files(), run_flags.gin_params(), TRAINING_SETTINGS)
    # TensorFlow takes seconds to load: a misspelt binding should not have to wait for it.
    from robgan_tf.training.joint_run import JointRun

    joint_run = JointRun(
        settings, run_flags.run_dir(), data_flag.data_dir(), _WARM_START.value, _FEATURES.value
    )
    if run_flags.is_dry_run():
        joint_run.describe()
        return 0
    stop = joint_run.train()
    if stop is not None:
        return stop.exit_status
    longer = 2 * settings[TrainSettings].steps
    line = run_flags.continuation(
        "robgan_tf.train", "train.steps", longer, [_WARM_START, _FEATURES]
    )
    print(f"Next: train longer with\n  {line}")
    return 0


if __name__ == "__main__":
    command.run(main)
