"""A PyTorch module as a classifier of numpy arrays; needs the extra `torch`."""

import hashlib
import threading
from typing import Any

import numpy as np

from robgan_tf.errors import UserError

try:
    import torch
except ImportError as error:
    raise UserError(
        f"a PyTorch module needs PyTorch ({error}): pip install 'robgan_tf[torch]'"
    ) from error


class PyTorchClassifier:
    """A module from images [N, C, H, W] to logits [N, K], with its gradient.

    The module itself is changed: it is put into evaluation mode, its parameters are frozen, and on
    its device it is laid out channels last, which is how images arrive from TensorFlow, so that
    none of them is rearranged.

    Args:
      module: a torch.nn.Module.
      device: where it is to run, such as "cpu" or "cuda".
      threads: how many PyTorch may use; its own choice if None. It runs while TensorFlow waits, so
        that the two do not compete.

    Attributes:
      name: of the module's class.
      identity: hexadecimal digits that tell its parameters and buffers from others.
    """

    def __init__(
        self, module: "torch.nn.Module", device: str = "cpu", threads: int | None = None
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._module = module.eval().requires_grad_(False).to(self._device)
        # Modules of other arrays than images of four axes are left as they are.
        self._module = self._module.to(memory_format=torch.channels_last)
        self.name = type(module).__name__
        self.identity = _digest(self._module)
        # Attacks ask for a gradient right after the logits of the same images.
        self._last: tuple[np.ndarray, torch.Tensor, torch.Tensor] | None = None
        self._lock = threading.Lock()

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits, float32 [N, K], of images, float32 [N, H, W, C]."""
        with self._lock:
            inputs, outputs = self._forward(images)
            self._last = images, inputs, outputs
            return outputs.detach().float().cpu().numpy()

    def input_gradient(self, images: np.ndarray, upstream: np.ndarray) -> np.ndarray:
        """The gradient of sum(upstream * logits), float32 [N, H, W, C]."""
        with self._lock:
            last, self._last = self._last, None
            if last is None or not np.array_equal(last[0], images):
                last = images, *self._forward(images)
            _, inputs, outputs = last
            factor = torch.from_numpy(upstream).to(self._device, outputs.dtype)
            (gradient,) = torch.autograd.grad(outputs, inputs, factor, allow_unused=True)
            if gradient is None:
                return np.zeros_like(images)
            return gradient.permute(0, 2, 3, 1).float().cpu().numpy()

    def _forward(self, images: np.ndarray) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Inputs [N, C, H, W], channels last in memory, and logits with their graph."""
        inputs = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2)
        inputs = inputs.detach().requires_grad_(True)
        outputs: Any = self._module(inputs)
        if not isinstance(outputs, torch.Tensor):
            raise UserError(
                f"the PyTorch module {self.name} gives a {type(outputs).__name__}; one tensor of "
                "logits is needed: wrap it in a module that returns that"
            )
        if not outputs.requires_grad:
            # Nothing of the module depends on the images, or it detaches: a gradient of 0.
            outputs = outputs + 0.0 * inputs.sum()
        return inputs, outputs


def _digest(module: "torch.nn.Module") -> str:
    sha256 = hashlib.sha256()
    for name, values in module.state_dict().items():
        sha256.update(name.encode())
        sha256.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return sha256.hexdigest()[:16]
