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
from typing import Any

import foolbox
import numpy as np
import torch
from pytorch_discriminator import build


def main() -> None:
    """Runs the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arrays", required=True)
    parser.add_argument("--variant", choices=("as_called", "tuned"), required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--epsilon", type=float, required=True)
    parser.add_argument("--step_size", type=float, required=True)
    arguments = parser.parse_args()
    arrays = dict(np.load(arguments.arrays))
    model = build(arrays, arguments.variant, arguments.variant == "as_called")
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


def _print(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
