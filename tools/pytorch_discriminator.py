"""D in PyTorch, made of the kernels of a TensorFlow D, for the workers that attack it.

Imports nothing of this package: the workers run in an environment of their own. Knows D with
spectral normalization and D without normalization, of any widths.

Forms:
  as_called: as users would hand it to a library: gradients of the weights are recorded and
    computed, and every call normalizes the kernels again where that is asked for.
  tuned: normalized kernels as frozen parameters, memory format channels last.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations


class Block(nn.Module):
    """A residual block of D, as the recipe is written (see robgan_tf/models/blocks.py)."""

    def __init__(
        self,
        convolution: Callable[[str], nn.Module],
        name: str,
        first: bool,
        resample: bool,
        has_shortcut: bool,
    ) -> None:
        super().__init__()
        self.first = first
        self.resample = resample
        self.convolution_1 = convolution(f"{name}/convolution_1")
        self.convolution_2 = convolution(f"{name}/convolution_2")
        self.shortcut = convolution(f"{name}/shortcut") if has_shortcut else None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] to [N, width, H, W], half as high and wide where it resamples."""
        hidden = inputs if self.first else functional.relu(inputs)
        hidden = self.convolution_2(functional.relu(self.convolution_1(hidden)))
        if self.resample:
            hidden = functional.avg_pool2d(hidden, 2)
        return hidden + self._shortcut(inputs)

    def _shortcut(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.first and self.resample:
            inputs = functional.avg_pool2d(inputs, 2)
        if self.shortcut is not None:
            inputs = self.shortcut(inputs)
        if self.resample and not self.first:
            inputs = functional.avg_pool2d(inputs, 2)
        return inputs


class Classifier(nn.Module):
    """D with its class head alone: images [N, 3, H, W] in [-1, 1] to logits [N, classes]."""

    def __init__(self, blocks: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns class logits."""
        return self.head(functional.relu(self.blocks(images)).sum(dim=(2, 3)))


class Kernels:
    """Makes layers from the arrays of a TensorFlow D.

    Args:
      arrays: dict of `<layer>:normalized`, a kernel as TensorFlow lays it out, and `<layer>:bias`
        where the layer has one. For `normalize_each_call` also `<layer>`, the kernel as stored,
        and `<layer>:u`, the singular vector of spectral normalization.
      normalize_each_call: spectral normalization by PyTorch, otherwise kernels normalized already.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], normalize_each_call: bool) -> None:
        self._arrays = arrays
        self._normalize_each_call = normalize_each_call

    def convolution(self, name: str) -> nn.Module:
        """Returns the convolution of this name."""
        kernel = self._kernel(name)
        height, _, channels, filters = kernel.shape
        bias = f"{name}:bias" in self._arrays
        layer = nn.Conv2d(channels, filters, height, padding=height // 2, bias=bias)
        return self._with_weight(layer, name, kernel.transpose(3, 2, 0, 1))

    def linear(self, name: str) -> nn.Module:
        """Returns the linear layer of this name."""
        kernel = self._kernel(name)
        layer = nn.Linear(*kernel.shape)
        return self._with_weight(layer, name, kernel.transpose(1, 0))

    def _kernel(self, name: str) -> np.ndarray:
        return self._arrays[name if self._normalize_each_call else f"{name}:normalized"]

    def _with_weight(self, layer: nn.Module, name: str, weight: np.ndarray) -> nn.Module:
        layer.weight.data = torch.from_numpy(np.ascontiguousarray(weight))
        if layer.bias is not None:
            layer.bias.data = torch.from_numpy(self._arrays[f"{name}:bias"])
        if not self._normalize_each_call:
            return layer
        layer = parametrizations.spectral_norm(layer)
        normalization = layer.parametrizations.weight[0]
        # PyTorch's u belongs to the rows of the matrix, filters x the rest.
        u = torch.from_numpy(self._arrays[f"{name}:u"])
        matrix = layer.parametrizations.weight.original.detach().flatten(1)
        normalization._u.copy_(u)
        normalization._v.copy_(functional.normalize(matrix.T @ u, dim=0))
        return layer


def build(
    arrays: Mapping[str, np.ndarray], form: str, normalize_each_call: bool = False
) -> nn.Module:
    """Builds the classifier in inference mode.

    Args:
      arrays: as `Kernels` takes them, and `resample`, for each block whether it halves the image.
      form: "as_called" or "tuned".
      normalize_each_call: as in `Kernels`; only with "as_called".
    """
    kernels = Kernels(arrays, normalize_each_call)
    blocks = []
    for index, resample in enumerate(arrays["resample"]):
        name = f"block_{index + 1}"
        has_shortcut = f"{name}/shortcut:normalized" in arrays
        blocks.append(Block(kernels.convolution, name, index == 0, bool(resample), has_shortcut))
    model = Classifier(blocks, kernels.linear("class_head")).eval()
    if form == "tuned":
        model.requires_grad_(False)
        model = model.to(memory_format=torch.channels_last)
    return model
