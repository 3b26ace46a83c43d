"""Attacks D with Foolbox on PyTorch, once for every line "attack" on standard input.

Started by the benchmark (tools/benchmarks/foolbox.py) in an environment of its own; imports
nothing of this package. Reads kernels and images from an npz file, prints one JSON line when
ready and one after each attack.

Variants:
  as_called: a module in inference mode with spectral normalization by PyTorch's own
    parametrization, handed to Foolbox as its documentation shows: every call normalizes the
    kernels again, and gradients of the weights are recorded and computed.
  tuned: normalized kernels as frozen parameters, memory format channels last.
"""

import argparse
import json
import sys
import time

import foolbox
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations


class Block(nn.Module):
    """A residual block of D, as the recipe is written (see robgan_tf/models/blocks.py)."""

    def __init__(self, convolution, name, first, resample, has_shortcut):
        super().__init__()
        self.first = first
        self.resample = resample
        self.convolution_1 = convolution(f"{name}/convolution_1")
        self.convolution_2 = convolution(f"{name}/convolution_2")
        self.shortcut = convolution(f"{name}/shortcut") if has_shortcut else None

    def forward(self, inputs):
        """[N, C, H, W] to [N, width, H, W], half as high and wide where it resamples."""
        hidden = inputs if self.first else functional.relu(inputs)
        hidden = self.convolution_2(functional.relu(self.convolution_1(hidden)))
        if self.resample:
            hidden = functional.avg_pool2d(hidden, 2)
        return hidden + self._shortcut(inputs)

    def _shortcut(self, inputs):
        if self.first and self.resample:
            inputs = functional.avg_pool2d(inputs, 2)
        if self.shortcut is not None:
            inputs = self.shortcut(inputs)
        if self.resample and not self.first:
            inputs = functional.avg_pool2d(inputs, 2)
        return inputs


class Classifier(nn.Module):
    """D with its class head alone: images [N, 3, H, W] in [-1, 1] to logits [N, classes]."""

    def __init__(self, blocks, head):
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.head = head

    def forward(self, images):
        """Returns class logits."""
        return self.head(functional.relu(self.blocks(images)).sum(dim=(2, 3)))


class Kernels:
    """Makes layers from the arrays of a TensorFlow D.

    Args:
      arrays: what tools/benchmarks/foolbox.py saved.
      normalize_each_call: spectral normalization by PyTorch, otherwise kernels normalized already.
    """

    def __init__(self, arrays, normalize_each_call):
        self._arrays = arrays
        self._normalize_each_call = normalize_each_call

    def convolution(self, name):
        """Returns the convolution of this name, without a bias."""
        kernel = self._kernel(name)
        height, _, channels, filters = kernel.shape
        layer = nn.Conv2d(channels, filters, height, padding=height // 2, bias=False)
        return self._with_weight(layer, name, kernel.transpose(3, 2, 0, 1))

    def linear(self, name):
        """Returns the linear layer of this name."""
        kernel = self._kernel(name)
        layer = nn.Linear(*kernel.shape)
        layer.bias.data = torch.from_numpy(self._arrays[f"{name}:bias"])
        return self._with_weight(layer, name, kernel.transpose(1, 0))

    def _kernel(self, name):
        return self._arrays[name if self._normalize_each_call else f"{name}:normalized"]

    def _with_weight(self, layer, name, weight):
        layer.weight.data = torch.from_numpy(np.ascontiguousarray(weight))
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


def build(arrays, variant):
    """Builds the classifier in one of the two variants, in inference mode."""
    kernels = Kernels(arrays, normalize_each_call=variant == "as_called")
    blocks = []
    for index, resample in enumerate(arrays["resample"]):
        name = f"block_{index + 1}"
        has_shortcut = f"{name}/shortcut" in arrays
        blocks.append(Block(kernels.convolution, name, index == 0, bool(resample), has_shortcut))
    model = Classifier(blocks, kernels.linear("class_head")).eval()
    if variant == "tuned":
        model.requires_grad_(False)
        model = model.to(memory_format=torch.channels_last)
    return model


def main():
    """Runs the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arrays", required=True)
    parser.add_argument("--variant", choices=("as_called", "tuned"), required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--epsilon", type=float, required=True)
    parser.add_argument("--step_size", type=float, required=True)
    arguments = parser.parse_args()
    arrays = dict(np.load(arguments.arrays))
    model = build(arrays, arguments.variant)
    images = torch.from_numpy(np.ascontiguousarray(arrays["images"].transpose(0, 3, 1, 2)))
    if arguments.variant == "tuned":
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.from_numpy(arrays["labels"])
    attack = foolbox.attacks.LinfPGD(
        abs_stepsize=arguments.step_size, steps=arguments.steps, random_start=False
    )
    attacked_model = foolbox.PyTorchModel(model, bounds=(-1, 1), device="cpu")
    with torch.no_grad():
        logits = model(images[:4])
    _print(
        logits=logits.tolist(),
        torch=torch.__version__,
        foolbox=foolbox.__version__,
        threads=torch.get_num_threads(),
    )
    for _ in sys.stdin:
        start = time.perf_counter()
        _, _, fooled = attack(attacked_model, images, labels, epsilons=arguments.epsilon)
        share = float(fooled.float().mean())
        _print(seconds=time.perf_counter() - start, fooled=share)


def _print(**values):
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
