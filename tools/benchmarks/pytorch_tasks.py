"""First steps of trainings, made here, with all that PyTorch needs to make them too."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.groups import AttackSettings, OptimizerSettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.stages.build_joint import build_adversary, build_players, build_step
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.finetune_attack import attack_start
from robgan_tf.training.finetune_batch import local_batch
from robgan_tf.training.finetune_loss import LOSSES
from robgan_tf.training.joint_step import JointStep
from robgan_tf.typing import JsonObject
from tools.benchmarks.models import (
    build_classifier_step,
    random_batches,
    random_real_batch,
)
from tools.benchmarks.pytorch_step import Task

PLAYERS = ("discriminator", "generator")


def joint_task(gin_file: str, bindings: Sequence[str]) -> Task:
    """Makes the first step of joint training here and keeps what it was made of.

    Args:
      gin_file: configuration, in float32.
      bindings: over it.
    """
    config = read_config(
        JointConfig, [gin_file], [*bindings, *_adam(*(f"{name}_optimizer" for name in PLAYERS))]
    )
    strategy = make_strategy("single_device")
    adversary = build_adversary(config)
    players = build_players(config, strategy)
    step = build_step(config, players, adversary, strategy)
    images, labels = random_batches(config.data, config.train)
    arrays = {
        **_arrays("generator", players.generator),
        **_arrays("discriminator", players.discriminator),
        "images": np.asarray(images),
        "labels": np.asarray(labels, np.int64),
    }
    number = tf.constant(1, tf.int64)
    arrays |= _draws(step, images, number)
    values = step(images, labels, number)
    losses = [float(values[f"loss_{player}/total"]) for player in PLAYERS]
    settings = {
        **_settings(config.attack, config.generator_optimizer),
        "average_decay": config.train.average_decay,
    }
    return Task("joint", arrays, settings, losses, len(images) * len(images[0]))


def classifier_task(gin_files: Sequence[str], bindings: Sequence[str], updates: int = 1) -> Task:
    """Makes the first updates of adversarial training here and keeps what they were made of.

    Args:
      gin_files: configuration of stage 2 on real images alone, in float32.
      bindings: over it.
      updates: how many, all on the same batch.
    """
    config = read_config(FinetuneConfig, gin_files, [*bindings, *_adam("classifier_optimizer")])
    step = build_classifier_step(config)
    images, labels = random_real_batch(config)
    arrays = {
        **_arrays("discriminator", step.players.classifier),
        "images": np.asarray(images),
        "labels": np.asarray(labels, np.int64),
    }
    starts, losses = [], []
    for number in tf.range(1, updates + 1, dtype=tf.int64):
        batch = local_batch(
            [(images, labels)],
            [len(labels)],
            step.objective,
            seed=step.seed,
            step=number,
            dtype="float32",
        )
        start = attack_start(step.attack, step.objective.loss, batch, step.epsilon(number))
        starts.append(np.asarray(start))
        losses.append(float(step((images, labels), None, number)[LOSSES[0]]))
    arrays["starts"] = np.stack(starts)
    settings = _settings(config.attack, config.classifier_optimizer)
    return Task("classifier", arrays, settings, losses, len(labels))


def _adam(*optimizers: str) -> list[str]:
    """PyTorch's Adam, so that losses after an update can be compared."""
    bindings = ("epsilon = 1e-8", "epsilon_place = 'corrected'")
    return [f"{optimizer}.{binding}" for optimizer in optimizers for binding in bindings]


def _settings(attack: AttackSettings, optimizer: OptimizerSettings) -> JsonObject:
    return {
        "epsilon": attack.epsilon,
        "step_size": attack.step_size,
        "steps": attack.steps,
        "learning_rate": optimizer.learning_rate,
        "betas": [optimizer.beta_1, optimizer.beta_2],
    }


def _draws(step: JointStep, images: tf.Tensor, number: tf.Tensor) -> dict[str, np.ndarray]:
    """The random numbers of a step, as it draws them itself."""
    attack = step.adversary.attack
    epsilon = step.adversary.epsilon(number)
    starts = [
        attack.start(batch, step.random_start_seeds(number, update), epsilon)
        for update, batch in enumerate(images)
    ]
    drawn = [step.latents(number, update) for update in range(len(images))]
    drawn.append(step.latents(number, len(images), for_generator=True))
    latents, labels = zip(*drawn, strict=True)
    return {
        "starts": np.stack(starts),
        "latents": np.stack(latents),
        "fake_labels": np.stack(labels).astype(np.int64),
    }


def _arrays(player: str, model: keras.Model) -> dict[str, Any]:
    """Weights by the names of their layers, a wrapped layer's by that of its wrapper."""
    wrapped = {layer.layer.path: layer.path for layer in spectral_normalization_layers(model)}
    values = {}
    for variable in model.variables:
        layer, _, name = variable.path.rpartition("/")
        layer = wrapped.get(layer, layer).partition("/")[2]
        values[f"{player}:{layer}/{name}"] = np.asarray(variable)
    blocks = [getattr(model, name).resample for name in model.block_names]
    return {**values, f"{player}:resample": np.array(blocks)}
