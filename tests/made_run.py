"""Run directories with random weights, as training would leave them, without training."""

import json

import keras

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.models.building import build_discriminator, build_generator
from robgan_tf.runs.checkpoints import Checkpoints
from robgan_tf.runs.directory import CHECKPOINTS
from tests import tiny
from tests.sampling import tiny_generator


def models(seed=0, config=None):
    """What a checkpoint of joint training holds, of networks that have learnt nothing."""
    config = config or tiny.config()
    keras.utils.set_random_seed(seed)
    made = {
        "generator": build_generator(config),
        "average_generator": build_generator(config),
        "discriminator": build_discriminator(config, "float32"),
    }
    tiny_generator.vary_classes(made["average_generator"])
    return made


def write(path, config, saved, step=7):
    """Writes a run directory with a checkpoint of a dict of models, if it holds any."""
    path.mkdir()
    (path / "config.gin").write_text(config.as_gin())
    stored = {"finetune.steps": 1} if isinstance(config, FinetuneConfig) else {}
    (path / "config.json").write_text(json.dumps(stored))
    if saved:
        save(path / CHECKPOINTS, saved, step)
    return path


def save(folder, saved, step):
    """Writes a checkpoint of a dict of models."""
    Checkpoints(folder, saved, keep=3).save(step)
