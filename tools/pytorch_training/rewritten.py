"""The same layers with this project's exact rewrites: fewer operations for the same numbers.

Convolution and resampling are one convolution of stride 2 with a 4x4 kernel, 1x1 shortcuts work on
the small image, and kernels are normalized and brought into that form once an update.
"""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from pytorch_training.layers import Arrays, Layers
from torch import nn
from torch.nn import functional

_SHIFTS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], np.float32)
# [16, 9]: how the sum of a 3x3 kernel's four one-pixel shifts depends on it.
_SUM_OF_SHIFTS = torch.from_numpy(np.einsum("ac,bd->abcd", _SHIFTS, _SHIFTS).reshape(16, 9))


class Prepared(nn.Module):
    """A layer whose kernel is prepared once for many calls.

    Args:
      weight: as PyTorch lays it out.
      bias: or None.
      u: singular vector of the kernel that is divided by its largest singular value, or None.
      rewrite: from the kernel to the one that `apply` takes.
      apply: function of inputs, kernel and bias.
      dtype: of inputs, kernel and outputs.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        u: torch.Tensor | None,
        rewrite: Callable[[torch.Tensor], torch.Tensor],
        apply: Callable[..., torch.Tensor],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)
        self.register_buffer("u", u)
        self._rewrite, self._apply_kernel, self._dtype = rewrite, apply, dtype
        self.kernel: torch.Tensor | None = None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Applies the layer."""
        kernel = self.prepare() if self.kernel is None else self.kernel
        bias = None if self.bias is None else self.bias.to(self._dtype)
        return self._apply_kernel(inputs.to(self._dtype), kernel, bias)

    def prepare(self, advance: bool = False) -> torch.Tensor:
        """Returns the kernel that the layer is applied with; `advance` moves u first."""
        weight = self.weight
        if self.u is not None:
            matrix = weight.flatten(1)
            with torch.no_grad():
                if advance:
                    v = functional.normalize(matrix.T @ self.u, dim=0)
                    self.u.copy_(functional.normalize(matrix @ v, dim=0))
                v = functional.normalize(matrix.T @ self.u, dim=0)
            # A copy: the buffer moves before the gradient is asked for.
            weight = weight / torch.dot(self.u.clone(), matrix @ v)
        kernel = self._rewrite(weight).to(self._dtype)
        return kernel.contiguous(memory_format=torch.channels_last) if kernel.ndim == 4 else kernel


@contextlib.contextmanager
def hold(model: nn.Module, advance: bool = False) -> Iterator[None]:
    """Prepares all kernels once, for all calls within; with their gradients where those are on."""
    layers = [layer for layer in model.modules() if isinstance(layer, Prepared)]
    for layer in layers:
        layer.kernel = layer.prepare(advance)
    try:
        yield
    finally:
        for layer in layers:
            layer.kernel = None


@contextlib.contextmanager
def constant_kernels(model: nn.Module) -> Iterator[None]:
    """Within `hold`: calls that have no gradient with respect to kernels."""
    layers = [layer for layer in model.modules() if isinstance(layer, Prepared)]
    held = [layer.kernel for layer in layers]
    for layer, kernel in zip(layers, held, strict=True):
        assert kernel is not None, "only within hold"
        layer.kernel = kernel.detach()
    try:
        yield
    finally:
        for layer, kernel in zip(layers, held, strict=True):
            layer.kernel = kernel


class RewrittenLayers(Layers):
    """Makes the layers of a network in the rewritten form.

    Args:
      arrays: as `Layers` takes.
      dtype: of convolutions; what touches pixels and linear layers are float32 in any case.
    """

    def __init__(self, arrays: Arrays, dtype: torch.dtype) -> None:
        super().__init__(arrays)
        self._dtype = dtype

    def convolution(self, name: str) -> nn.Module:
        """A convolution to images of the same size."""
        return self._prepared(name, _same, _same_size)

    def of_pixels(self, name: str) -> nn.Module:
        """A convolution of which one side is an image, in float32."""
        return self._prepared(name, _same, _same_size, torch.float32)

    def pooled(self, name: str) -> nn.Module:
        """A convolution and average pooling in one."""
        return self._prepared(name, _pooled_kernel, _half_size)

    def up_sampled(self, name: str) -> nn.Module:
        """Up-sampling and a convolution in one."""
        return self._prepared(name, _up_sampled_kernel, _double_size)

    def pooled_shortcut(self, name: str, first: bool) -> nn.Module:
        """Pooling, then a 1x1 convolution."""
        convolution = self.of_pixels(name) if first else self.convolution(name)
        return nn.Sequential(nn.AvgPool2d(2), convolution)

    def up_sampled_shortcut(self, name: str) -> nn.Module:
        """A 1x1 convolution, then up-sampling."""
        return nn.Sequential(self.convolution(name), nn.Upsample(scale_factor=2))

    def linear(self, name: str) -> nn.Module:
        """A linear layer in float32."""
        return self._prepared(name, _same, functional.linear, torch.float32)

    def _prepared(
        self,
        name: str,
        rewrite: Callable[[torch.Tensor], torch.Tensor],
        apply: Callable[..., torch.Tensor],
        dtype: torch.dtype | None = None,
    ) -> Prepared:
        kernel = torch.from_numpy(self.arrays[f"{name}/kernel"])
        kernel = kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        bias, u = (self.arrays.get(f"{name}/{part}") for part in ("bias", "vector_u"))
        return Prepared(
            kernel.contiguous(),
            None if bias is None else torch.from_numpy(bias),
            None if u is None else torch.from_numpy(u.copy()),
            rewrite,
            apply,
            dtype or self._dtype,
        )


def _same(kernel: torch.Tensor) -> torch.Tensor:
    return kernel


def _pooled_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """[out, in, 3, 3] to [out, in, 4, 4]."""
    shape = kernel.shape[:2]
    return (kernel.flatten(2) @ _SUM_OF_SHIFTS.T / 4.0).reshape(*shape, 4, 4)


def _up_sampled_kernel(kernel: torch.Tensor) -> torch.Tensor:
    """[out, in, 3, 3] to [in, out, 4, 4], which a transposed convolution runs backwards."""
    turned = kernel.flip(2, 3).transpose(0, 1)
    return (turned.flatten(2) @ _SUM_OF_SHIFTS.T).reshape(*turned.shape[:2], 4, 4)


def _same_size(
    inputs: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    return functional.conv2d(inputs, kernel, bias, padding=kernel.shape[-1] // 2)


def _half_size(
    inputs: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    return functional.conv2d(inputs, kernel, bias, stride=2, padding=1)


def _double_size(
    inputs: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    return functional.conv_transpose2d(inputs, kernel, bias, stride=2, padding=1)
