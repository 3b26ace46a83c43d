"""Trains Rob-GAN jointly: generator, discriminator and attacker.

    python -m robgan_tf.train --gin_file=gin/cifar10.gin

The same command on the same run directory continues where the run stopped.
"""

from absl import flags

from robgan_tf.cli import data_flag, run_flags
from robgan_tf.cli import start as command
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError

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
    config = read_config(JointConfig, run_flags.gin_files(), run_flags.gin_params())
    # TensorFlow takes seconds to load: a misspelt binding should not have to wait for it.
    from robgan_tf.stages.joint import JointStage

    joint_run = JointStage(
        config, run_flags.run_dir(), data_flag.data_dir(), _WARM_START.value, _FEATURES.value
    )
    if run_flags.is_dry_run():
        joint_run.describe()
        return 0
    stop = joint_run.train()
    if stop is not None:
        return stop.exit_status
    longer = 2 * config.train.steps
    line = run_flags.continuation(
        "robgan_tf.train", "train.steps", longer, [_WARM_START, _FEATURES]
    )
    print(f"Next: train longer with\n  {line}")
    return 0


if __name__ == "__main__":
    command.run(main)
