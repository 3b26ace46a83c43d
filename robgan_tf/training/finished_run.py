"""Models of a run that has been trained, from its run directory."""

import pathlib

import keras

from robgan_tf.configuration import read_settings
from robgan_tf.errors import UserError
from robgan_tf.settings import CONFIGURABLES
from robgan_tf.training.checkpoints import checkpoint_of_step, load_weights
from robgan_tf.training.joint import build_discriminator


def read_run_settings(run_dir):
    """Reads the settings of a run.

    Returns:
      Dict from settings class to instance.

    Raises:
      UserError: if there is no run, or another version of this package made it.
    """
    path = pathlib.Path(run_dir) / "config.gin"
    if not path.exists():
        raise UserError(f"{run_dir} holds no run: there is no config.gin (--run_dir)")
    return read_settings([str(path)], [], CONFIGURABLES)


def load_discriminator(run_dir, settings, checkpoint="last"):
    """Builds a run's D with the weights of a checkpoint.

    Args:
      run_dir: the run directory.
      settings: of the run.
      checkpoint: "last", or the number of a step.

    Returns:
      (D, its step).

    Raises:
      UserError: if there is no such checkpoint or it does not fit.
    """
    directory = pathlib.Path(run_dir) / "checkpoints"
    path = checkpoint_of_step(directory, checkpoint)
    keras.utils.set_random_seed(0)
    discriminator = build_discriminator(settings)
    load_weights(path, {"discriminator": discriminator})
    return discriminator, int(path.rpartition("-")[2])
