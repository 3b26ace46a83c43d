"""A tiny run of either stage, started in processes that have TensorFlow loaded already."""

import dataclasses
import importlib
import os
import pathlib
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from robgan_tf.reporting import MetricsFile
from robgan_tf.runs import checkpoint_folder

CHECKPOINT_EVERY = 3
KEEP = 2
# Longer than on any disk, so that moments drawn at random are often inside of a save or a step.
_SLOW_OPERATION, _SLOW_STEP = 0.02, 0.02
_DATA_AND_NETWORKS = """
data.dataset = 'digits'
data.resolution = 8
data.channels = 1
data.num_classes = 10
data.validation_examples = 20
ResNetDiscriminator.base_width = 2
ResNetDiscriminator.widths = '1'
gap.every = 0
final_evaluation.images = 0
ProjectedGradientDescent.epsilon = 0.1
ProjectedGradientDescent.steps = 1
ProjectedGradientDescent.step_size = 0.05
ProjectedGradientDescent.random_start = True
"""
_OF_STAGE = {
    "train": """
train.batch_size = 4
train.discriminator_updates = 1
train.sample_every = 5
ResNetGenerator.base_width = 2
ResNetGenerator.widths = '1; 1'
ResNetGenerator.latent_size = 8
quality.every = 0
""",
    "finetune": """
finetune.batch_size = 8
finetune.generated_share = 0.0
finetune.start = 'scratch'
finetune.average_decay = 0.9
finetune.picture_every = 5
""",
}


# Joint training, but for its length.
TRAINING = _DATA_AND_NETWORKS + _OF_STAGE["train"]


@dataclasses.dataclass(frozen=True)
class TinyStage:
    """A stage of training, small enough for many runs.

    Attributes:
      command: "train" or "finetune".
      steps: of a run.
      compiled: whether steps are compiled, which takes most of the time of a short session, or
        made operation by operation.
      folder: where the configuration and logs are written.
    """

    command: str
    steps: int
    compiled: bool
    folder: pathlib.Path

    def start(self, run_dir: pathlib.Path) -> int:
        """Starts a process that trains in a run directory, begun or not; returns its number."""
        gin_file = self._gin_file()
        main = importlib.import_module(f"robgan_tf.{self.command}").main
        arguments = [f"--gin_file={gin_file}", f"--run_dir={run_dir}"]

        def train() -> int:
            if not self.compiled:
                tf.config.run_functions_eagerly(True)
                tf.data.experimental.enable_debug_mode()
            _slow_down()
            return main(arguments)

        return forked(train, self.log(run_dir))

    def log(self, run_dir: pathlib.Path) -> pathlib.Path:
        """What all processes of a run have printed."""
        return self.folder / f"{run_dir.name}.log"

    def _gin_file(self) -> pathlib.Path:
        path = self.folder / f"{self.command}.gin"
        name = self.command
        path.write_text(
            f"{_DATA_AND_NETWORKS}{_OF_STAGE[name]}\n{name}.steps = {self.steps}\n"
            f"{name}.log_every = 1\n{name}.checkpoint_every = {CHECKPOINT_EVERY}\n"
            f"{name}.keep_checkpoints = {KEEP}\n{name}.distribution = 'single_device'\n"
        )
        return path


def forked(call: Callable[[], int], log: pathlib.Path) -> int:
    """Makes a call, which returns an exit status, in a copy of this process; returns its number.

    This process must not have used TensorFlow, but only imported it.
    """
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        with open(log, "a") as file:
            os.dup2(file.fileno(), sys.stdout.fileno())
            os.dup2(file.fileno(), sys.stderr.fileno())
        # Whoever starts this tool in the background may have it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        status = call()
        sys.stdout.flush()
    except BaseException:
        # Nobody else would say so: a copy must not go on as its original.
        traceback.print_exc()
    finally:
        os._exit(status)


def _slow_down() -> None:
    """Makes saves and steps of this process longer: kills land between any of their operations."""
    _slow(checkpoint_folder, "flush_to_disk", _SLOW_OPERATION)
    _slow(pathlib.Path, "rename", _SLOW_OPERATION)
    _slow(pathlib.Path, "unlink", _SLOW_OPERATION)
    _slow(MetricsFile, "write", _SLOW_STEP)


def _slow(owner: Any, name: str, seconds: float) -> None:
    real = getattr(owner, name)

    def slowly(*arguments: Any, **named: Any) -> Any:
        time.sleep(seconds / 2)
        result = real(*arguments, **named)
        time.sleep(seconds / 2)
        return result

    setattr(owner, name, slowly)
