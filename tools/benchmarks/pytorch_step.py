"""The training step in PyTorch as a variant: a process of its own, in an environment of its own."""

import dataclasses
import json
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.stages.build_joint import build_adversary, build_players, build_step
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.joint_step import JointStep
from tools.benchmarks.models import random_batches
from tools.benchmarks.timing import Variant
from tools.benchmarks.worker_process import WorkerProcess

WORKER = pathlib.Path(__file__).parents[1] / "pytorch_training_worker.py"
# PyTorch's Adam, so that losses after an update can be compared.
ADAM = [
    f"{player}_optimizer.{binding}"
    for player in ("generator", "discriminator")
    for binding in ("epsilon = 1e-8", "epsilon_place = 'corrected'")
]
# Of the first losses in float32. Later ones part: rounding turns the sign of a few gradients that
# are almost 0, and with it a step of the attack or of Adam.
LARGEST_DIFFERENCE = 1e-4
PLAYERS = ("discriminator", "generator")
# Forms of the worker (tools/pytorch_training/step.py) and precisions that are compared.
VARIANTS = (
    ("as_written", "float32"),
    ("guides", "float32"),
    ("rewrites", "float32"),
    ("guides", "bfloat16"),
    ("rewrites", "bfloat16"),
)


@dataclasses.dataclass(frozen=True)
class Task:
    """The first step of a training, with all that PyTorch needs to make it too.

    Attributes:
      arrays: weights, images, labels and random numbers by the names that the worker reads.
      settings: numbers of `pytorch_training.step.Settings` but form and precision.
      losses: ours, of D and of G.
      images: real images in a step.
    """

    arrays: Mapping[str, np.ndarray]
    settings: Mapping[str, float]
    losses: Sequence[float]
    images: int


def make_task(gin_file: str, bindings: Sequence[str]) -> Task:
    """Makes the first step here and keeps what it was made of.

    Args:
      gin_file: configuration of joint training, in float32.
      bindings: over it.
    """
    config = read_config(JointConfig, [gin_file], [*bindings, *ADAM])
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
        "epsilon": config.attack.epsilon,
        "step_size": config.attack.step_size,
        "steps": config.attack.steps,
        "learning_rate": config.generator_optimizer.learning_rate,
        "average_decay": config.train.average_decay,
    }
    return Task(arrays, settings, losses, len(images) * len(images[0]))


class PyTorchStep:
    """The same step in PyTorch.

    Args:
      python: interpreter of an environment with torch.
      task: of `make_task`.
      form: one of `pytorch_training.step.FORMS`.
      precision: of convolutions, "float32" or "bfloat16".
      threads: of PyTorch.

    Attributes:
      versions: of PyTorch, and its threads.
      losses: of D and of G in the first step.

    Raises:
      UserError: if the interpreter cannot run it.
    """

    def __init__(
        self, python: str, task: Task, form: str, precision: str = "float32", threads: int = 1
    ) -> None:
        self._images = task.images
        settings = {**task.settings, "form": form, "bfloat16": precision == "bfloat16"}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "arrays.npz"
            np.savez(path, **dict[str, Any](task.arrays))
            arguments = [
                str(WORKER),
                f"--arrays={path}",
                f"--settings={json.dumps(settings)}",
                f"--threads={threads}",
            ]
            self._process = WorkerProcess(python, arguments, "the package torch")
            ready = self._process.answer()
        self.versions = {name: ready[name] for name in ("torch", "threads")}
        self.losses = ready["losses"]

    def variant(self, name: str) -> Variant:
        """A step as something to be timed."""
        return Variant(name, self._step, self._images)

    def close(self) -> None:
        """Ends the process."""
        self._process.close()

    def _step(self) -> float:
        return self._process.ask("step")["seconds"]


def check_first_losses(python: str, gin_file: str, bindings: Sequence[str], form: str) -> float:
    """Makes one D update and one G update here and in PyTorch, from the same weights.

    Args:
      python: interpreter of an environment with torch.
      gin_file: as `make_task` takes.
      bindings: over it.
      form: one of `pytorch_training.step.FORMS`.

    Returns:
      The largest relative difference of the losses of D and of G.

    Raises:
      UserError: if the interpreter cannot run it.
      ValueError: if the losses are not ours.
    """
    task = make_task(gin_file, [*bindings, "train.discriminator_updates=1"])
    process = PyTorchStep(python, task, form)
    process.close()
    difference = float(np.max(np.abs(np.array(process.losses) / task.losses - 1.0)))
    # Written so that NaN is refused too.
    if not difference < LARGEST_DIFFERENCE:
        raise ValueError(
            f"the first losses of PyTorch ({form}) are up to {difference:.2g} off ours, relative"
        )
    return difference


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


def _arrays(player: str, model: keras.Model) -> dict[str, np.ndarray]:
    """Weights by the names of their layers, a wrapped layer's by that of its wrapper."""
    wrapped = {layer.layer.path: layer.path for layer in spectral_normalization_layers(model)}
    values = {}
    for variable in model.variables:
        layer, _, name = variable.path.rpartition("/")
        layer = wrapped.get(layer, layer).partition("/")[2]
        values[f"{player}:{layer}/{name}"] = np.asarray(variable)
    blocks = [getattr(model, name).resample for name in model.block_names]
    return {**values, f"{player}:resample": np.array(blocks)}
