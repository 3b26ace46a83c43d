"""Makes training steps in PyTorch, one for every line "step" on standard input.

Started by the benchmark (tools/benchmarks/pytorch_step.py) in an environment of its own; imports
nothing of that package. Reads weights, images and the random numbers of the first step from an npz
file, prints one JSON line with its losses, then one after each further step, whose random numbers
it draws itself.
"""

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
import torch
from pytorch_training.step import FORMS, Draws, Settings, TrainingStep


def main() -> None:
    """Runs the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arrays", required=True)
    parser.add_argument("--settings", required=True, help="JSON object of `Settings`")
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    settings = Settings(**json.loads(arguments.settings))
    if settings.form not in FORMS:
        parser.error(f"form {settings.form!r} does not exist; choose from {', '.join(FORMS)}")
    torch.set_num_threads(arguments.threads)
    with np.load(arguments.arrays) as file:
        arrays = dict(file)
    step = TrainingStep(_of(arrays, "generator"), _of(arrays, "discriminator"), settings)
    images, labels = _images(arrays["images"]), torch.from_numpy(arrays["labels"])
    first = Draws(
        _images(arrays["starts"]),
        torch.from_numpy(arrays["latents"]),
        torch.from_numpy(arrays["fake_labels"]),
    )
    losses = step(images, labels, first)
    _print(losses=losses, torch=torch.__version__, threads=torch.get_num_threads())
    for _ in sys.stdin:
        start = time.perf_counter()
        step(images, labels, _drawn(first, images, settings.epsilon))
        _print(seconds=time.perf_counter() - start)


def _of(arrays: dict[str, np.ndarray], model: str) -> dict[str, np.ndarray]:
    prefix = f"{model}:"
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def _images(values: np.ndarray) -> torch.Tensor:
    """[n, N, H, W, C] to [n, N, C, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(values.transpose(0, 1, 4, 2, 3)))


def _drawn(like: Draws, images: torch.Tensor, epsilon: float) -> Draws:
    noise = torch.empty_like(images).uniform_(-epsilon, epsilon)
    labels = torch.randint(int(like.labels.max()) + 1, like.labels.shape)
    return Draws((images + noise).clamp(-1.0, 1.0), torch.randn(like.latents.shape), labels)


def _print(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
