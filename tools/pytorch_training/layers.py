"""Layers of G and D as users of PyTorch write them, from the weights of a TensorFlow network."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

Arrays = Mapping[str, np.ndarray]


class ConditionalBatchNormalization(nn.Module):
    """Batch normalization whose scale and shift belong to the class of each sample."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        super().__init__()
        gamma, beta = arrays[f"{name}/gamma"], arrays[f"{name}/beta"]
        self.normalization = nn.BatchNorm2d(gamma.shape[1], eps=2e-5, affine=False)
        self.gamma = nn.Embedding(*gamma.shape, _weight=torch.from_numpy(gamma))
        self.beta = nn.Embedding(*beta.shape, _weight=torch.from_numpy(beta))

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] activations and [N] classes to activations of the same type."""
        gamma, beta = (table(labels)[:, :, None, None] for table in (self.gamma, self.beta))
        outputs = self.normalization(inputs) * gamma.to(inputs.dtype)
        return outputs + beta.to(inputs.dtype)


def batch_normalization(arrays: Arrays, name: str) -> nn.BatchNorm2d:
    """Batch normalization with one scale and one shift a channel."""
    layer = nn.BatchNorm2d(len(arrays[f"{name}/gamma"]), eps=2e-5)
    layer.weight.data = torch.from_numpy(arrays[f"{name}/gamma"])
    layer.bias.data = torch.from_numpy(arrays[f"{name}/beta"])
    return layer


class Layers:
    """Makes the layers of a network whose convolutions are written as the recipe is.

    Args:
      arrays: dict from name to value: `<layer>/kernel` as TensorFlow lays it out, `<layer>/bias`
        where there is one, and `<layer>/vector_u` where the kernel is normalized.
    """

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays

    def has(self, name: str) -> bool:
        """Whether there is such a layer."""
        return f"{name}/kernel" in self.arrays

    def convolution(self, name: str) -> nn.Module:
        """A convolution to images of the same size."""
        kernel = torch.from_numpy(self.arrays[f"{name}/kernel"]).permute(3, 2, 0, 1).contiguous()
        filters, channels, size, _ = kernel.shape
        layer = nn.Conv2d(
            channels, filters, size, padding=size // 2, bias=f"{name}/bias" in self.arrays
        )
        return self._with_weights(layer, name, kernel)

    def of_pixels(self, name: str) -> nn.Module:
        """A convolution of which one side is an image."""
        return self.convolution(name)

    def pooled(self, name: str) -> nn.Module:
        """A convolution, then average pooling."""
        return nn.Sequential(self.convolution(name), nn.AvgPool2d(2))

    def up_sampled(self, name: str) -> nn.Module:
        """Up-sampling, then a convolution."""
        return nn.Sequential(nn.Upsample(scale_factor=2), self.convolution(name))

    def pooled_shortcut(self, name: str, first: bool) -> nn.Module:
        """The shortcut of a block of D that halves the image; the first block pools first."""
        parts = [self.of_pixels(name) if first else self.convolution(name), nn.AvgPool2d(2)]
        return nn.Sequential(*(reversed(parts) if first else parts))

    def up_sampled_shortcut(self, name: str) -> nn.Module:
        """The shortcut of a block of G that doubles the image."""
        return self.up_sampled(name)

    def linear(self, name: str) -> nn.Module:
        """A linear layer."""
        kernel = torch.from_numpy(self.arrays[f"{name}/kernel"]).T.contiguous()
        return self._with_weights(nn.Linear(kernel.shape[1], kernel.shape[0]), name, kernel)

    def _with_weights(self, layer: nn.Module, name: str, kernel: torch.Tensor) -> nn.Module:
        layer.weight.data = kernel
        if layer.bias is not None:
            layer.bias.data = torch.from_numpy(self.arrays[f"{name}/bias"])
        if f"{name}/vector_u" not in self.arrays:
            return layer
        layer = parametrizations.spectral_norm(layer)
        normalization = layer.parametrizations.weight[0]
        u = torch.from_numpy(self.arrays[f"{name}/vector_u"])
        normalization._u.copy_(u)
        normalization._v.copy_(functional.normalize(kernel.flatten(1).T @ u, dim=0))
        return layer
