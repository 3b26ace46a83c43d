"""Foolbox on PyTorch as a variant: a process of its own, in an environment of its own."""

import pathlib
import tempfile
from typing import Any

import keras
import numpy as np

from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.typing import JsonObject
from tools.benchmarks.timing import Variant
from tools.benchmarks.worker_process import WorkerProcess

WORKER = pathlib.Path(__file__).parents[1] / "foolbox_worker.py"
LARGEST_LOGIT_DIFFERENCE = 1e-3


class FoolboxProcess:
    """The same D, weights and images in PyTorch, attacked by Foolbox.

    Args:
      python: interpreter of an environment with torch and foolbox.
      model: the D to copy.
      images: [N, H, W, C] in [-1, 1].
      labels: [N].
      kind: "as_called" or "tuned" (see the worker).
      steps: of PGD.
      epsilon: radius; a step is a fifth of it.

    Raises:
      UserError: if the interpreter cannot run it.
      ValueError: if its logits are not those of the model.
    """

    def __init__(
        self,
        python: str,
        model: keras.Model,
        images: np.ndarray,
        labels: np.ndarray,
        kind: str,
        steps: int,
        epsilon: float,
    ) -> None:
        self._images = len(labels)
        self.last: JsonObject = {}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "arrays.npz"
            np.savez(path, images=images, labels=np.asarray(labels, np.int64), **arrays(model))
            self._process = WorkerProcess(
                python,
                [
                    str(WORKER),
                    f"--arrays={path}",
                    f"--variant={kind}",
                    f"--steps={steps}",
                    f"--epsilon={epsilon}",
                    f"--step_size={epsilon / 5}",
                ],
                "the packages torch and foolbox",
            )
            ready = self._process.answer()
        expected = np.asarray(model(images[:4], training=False)[1])
        difference = np.abs(np.array(ready["logits"]) - expected).max()
        if difference > LARGEST_LOGIT_DIFFERENCE:
            raise ValueError(f"PyTorch's logits are up to {difference:.2g} off those of TensorFlow")
        self.versions = {name: ready[name] for name in ("torch", "foolbox", "threads")}

    def variant(self, name: str) -> Variant:
        """The attack as something to be timed."""
        return Variant(name, self._attack, self._images)

    def close(self) -> None:
        """Ends the process."""
        self._process.close()

    def _attack(self) -> float:
        self.last = self._process.ask("attack")
        return self.last["seconds"]


def arrays(model: keras.Model) -> dict[str, Any]:
    """The kernels of D, stored and normalized, by the names the worker reads."""
    values: dict[str, Any] = {
        "resample": [getattr(model, name).resample for name in model.block_names]
    }
    for layer in spectral_normalization_layers(model):
        name = layer.path.partition("/")[2]
        values[name] = np.asarray(layer.layer.kernel)
        values[f"{name}:normalized"] = np.asarray(layer.normalized_kernel())
        values[f"{name}:u"] = np.asarray(layer.vector_u)
    for name in ("source_head", "class_head"):
        values[f"{name}:bias"] = np.asarray(getattr(model, name).layer.bias)
    return values
