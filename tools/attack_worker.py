"""What the workers that attack D on PyTorch have in common, as a dialogue of JSON lines.

Imports nothing of this package: the workers run in environments of their own. A worker reads
kernels and images from an npz file, prints one JSON line when ready and one for each line on
standard input: an attack, its arguments and the file to write what was found to.
"""

import argparse
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pytorch_discriminator import build


class AttackWorker:
    """D in both forms and its images; the attacks are the methods of a subclass.

    Args:
      arrays: as `pytorch_discriminator.build` takes them, with `images` [N, H, W, C] in [-1, 1]
        and `labels` [N].
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.models = {form: build(arrays, form) for form in ("as_called", "tuned")}
        self.images = np.ascontiguousarray(arrays["images"].transpose(0, 3, 1, 2))
        self.labels = arrays["labels"]
        self.classes = len(arrays["class_head:bias"])

    def logits(self, form: str, batch_size: int = 100) -> np.ndarray:
        """Logits of the images, [N, K]."""
        with torch.no_grad():
            batches = torch.from_numpy(self.images).split(batch_size)
            return torch.cat([self.models[form](images) for images in batches]).numpy()

    def attack(
        self,
        attack: str,
        form: str,
        rows: Sequence[int],
        seed: int,
        output: str,
        **arguments: Any,
    ) -> dict[str, float]:
        """Runs an attack.

        Args:
          attack: name of a method, a function of (model, images [M, C, H, W], labels, further
            arguments) that returns (adversarial images, whether each is classified correctly).
          form: of D, "as_called" or "tuned".
          rows: numbers of the images.
          seed: of the library's random numbers.
          output: path of an npz file for `adversarial` [M, H, W, C] and `correct` [M].
          **arguments: of the method.

        Returns:
          Dict of the seconds it took and the same summed over processors.
        """
        np.random.seed(seed)
        torch.manual_seed(seed)
        images, labels = self.images[rows], self.labels[rows]
        start, start_processors = time.perf_counter(), time.process_time()
        run = getattr(self, attack)
        adversarial, correct = run(self.models[form], images, labels, **arguments)
        seconds = time.perf_counter() - start
        processor_seconds = time.process_time() - start_processors
        np.savez(output, adversarial=adversarial.transpose(0, 2, 3, 1), correct=correct)
        return {"seconds": seconds, "processor_seconds": processor_seconds}


def serve(
    make: Callable[[Mapping[str, np.ndarray]], AttackWorker],
    packages: Sequence[str],
    description: str,
) -> None:
    """Runs a worker until its standard input ends.

    Args:
      make: its class.
      packages: whose versions it reports.
      description: of the command.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--arrays", required=True)
    parser.add_argument("--logits", required=True, help="npz file to write: logits by form")
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with np.load(arguments.arrays) as arrays:
        worker = make(dict(arrays))
    logits: dict[str, Any] = {form: worker.logits(form) for form in worker.models}
    np.savez(arguments.logits, **logits)
    versions = {package: importlib.metadata.version(package) for package in packages}
    _print(versions=versions, threads=torch.get_num_threads())
    for line in sys.stdin:
        _print(**worker.attack(**json.loads(line)))


def _print(**values: Any) -> None:
    print(json.dumps(values), flush=True)
