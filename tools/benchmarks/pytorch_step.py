"""A training step in PyTorch as a variant: a process of its own, in an environment of its own."""

import dataclasses
import json
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robgan_tf.typing import JsonObject
from tools.benchmarks.timing import Variant
from tools.benchmarks.worker_process import WorkerProcess

WORKER = pathlib.Path(__file__).parents[1] / "pytorch_training_worker.py"
# Of the first losses in float32. Later ones part: rounding turns the sign of a few gradients that
# are almost 0, and with it a step of the attack or of Adam.
LARGEST_DIFFERENCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Task:
    """The first steps of a training, with all that PyTorch needs to make them too.

    Attributes:
      kind: of step, as the worker calls it (tools/pytorch_training/tasks.py).
      arrays: weights, images, labels and random numbers by the names that the worker reads.
      settings: its numbers.
      losses: ours.
      images: real images in a step.
    """

    kind: str
    arrays: Mapping[str, np.ndarray]
    settings: JsonObject
    losses: Sequence[float]
    images: int


class PyTorchStep:
    """The same step in PyTorch.

    Args:
      python: interpreter of an environment with torch.
      task: what is to be made.
      form: one of `pytorch_training.form.FORMS`.
      precision: of convolutions, "float32" or "bfloat16".
      threads: of PyTorch.

    Attributes:
      versions: of PyTorch, and its threads.
      losses: of the first steps.

    Raises:
      UserError: if the interpreter cannot run it.
    """

    def __init__(
        self, python: str, task: Task, form: str, precision: str = "float32", threads: int = 1
    ) -> None:
        self._images = task.images
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "arrays.npz"
            np.savez(path, **dict[str, Any](task.arrays))
            arguments = [
                str(WORKER),
                f"--kind={task.kind}",
                f"--form={form}",
                f"--arrays={path}",
                f"--settings={json.dumps(task.settings)}",
                f"--threads={threads}",
            ]
            if precision == "bfloat16":
                arguments.append("--bfloat16")
            self._process = WorkerProcess(python, arguments, "the package torch")
            ready = self._process.answer()
        self.versions = {name: ready[name] for name in ("torch", "threads")}
        self.losses = ready["losses"]

    def variant(self, name: str) -> Variant:
        """A step as something to be timed."""
        return Variant(name, self._step, self._images)

    def profile(self) -> JsonObject:
        """Seconds of a further step, and `by_operation`, as PyTorch calls them."""
        return self._process.ask("profile")

    def close(self) -> None:
        """Ends the process."""
        self._process.close()

    def _step(self) -> float:
        return self._process.ask("step")["seconds"]


def check_first_losses(python: str, task: Task, form: str) -> float:
    """Makes the first steps in PyTorch, from the same weights.

    Args:
      python: interpreter of an environment with torch.
      task: in float32, and of few updates, after which losses part.
      form: one of `pytorch_training.form.FORMS`.

    Returns:
      The largest relative difference of a loss.

    Raises:
      UserError: if the interpreter cannot run it.
      ValueError: if the losses are not ours.
    """
    process = PyTorchStep(python, task, form)
    process.close()
    difference = float(np.max(np.abs(np.array(process.losses) / task.losses - 1.0)))
    # Written so that NaN is refused too.
    if not difference < LARGEST_DIFFERENCE:
        raise ValueError(
            f"the first losses of PyTorch ({form}) are up to {difference:.2g} off ours, relative"
        )
    return difference
