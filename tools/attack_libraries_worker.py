"""Attacks D with Foolbox and the Adversarial Robustness Toolbox (ART) on PyTorch, as asked.

Started by tools/compare_attacks.py in an environment of its own; imports nothing of that package.
Reads kernels and images from an npz file, prints one JSON line when ready and one for each line
on standard input, a JSON object with the name of an attack, its arguments and the file to write
the adversarial images to.
"""

import argparse
import importlib.metadata
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import foolbox
import numpy as np
import torch
from art.attacks.evasion import AutoProjectedGradientDescent, SquareAttack
from art.estimators.classification import PyTorchClassifier
from pytorch_discriminator import build
from torch import nn

BOUNDS = (-1.0, 1.0)
PACKAGES = ("torch", "foolbox", "adversarial-robustness-toolbox", "numpy")


class Worker:
    """D in both forms, its images, and the libraries' attacks on them.

    Args:
      arrays: as `pytorch_discriminator.build` takes them, with `images` [N, H, W, C] in [-1, 1]
        and `labels` [N].
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._models = {form: build(arrays, form) for form in ("as_called", "tuned")}
        self._images = np.ascontiguousarray(arrays["images"].transpose(0, 3, 1, 2))
        self._labels = arrays["labels"]
        self._classes = len(arrays["class_head:bias"])

    def logits(self, form: str, batch_size: int = 100) -> np.ndarray:
        """Logits of the images, [N, K]."""
        with torch.no_grad():
            batches = torch.from_numpy(self._images).split(batch_size)
            return torch.cat([self._models[form](images) for images in batches]).numpy()

    def attack(
        self, attack: str, form: str, first: int, last: int, output: str, **arguments: Any
    ) -> dict[str, float]:
        """Runs an attack.

        Args:
          attack: name of a method below.
          form: of D, "as_called" or "tuned".
          first: number of the first image; also the seed of the library's random numbers.
          last: number of the image after the last.
          output: path of an npz file for `adversarial` [N, H, W, C] and `correct` [N]: whether
            the library takes D to classify it correctly.
          **arguments: of the method.

        Returns:
          Dict of the seconds it took and the same summed over processors.
        """
        np.random.seed(first)
        torch.manual_seed(first)
        images, labels = self._images[first:last], self._labels[first:last]
        start, start_processors = time.perf_counter(), time.process_time()
        run = getattr(self, attack)
        adversarial, correct = run(self._models[form], images, labels, **arguments)
        seconds = time.perf_counter() - start
        processor_seconds = time.process_time() - start_processors
        np.savez(output, adversarial=adversarial.transpose(0, 2, 3, 1), correct=correct)
        return {"seconds": seconds, "processor_seconds": processor_seconds}

    def pgd(
        self,
        model: nn.Module,
        images: torch.Tensor,
        labels: np.ndarray,
        epsilon: float,
        steps: int,
        step_size: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Foolbox's LinfPGD from the image itself; FGSM with one step of epsilon."""
        attack = foolbox.attacks.LinfPGD(abs_stepsize=step_size, steps=steps, random_start=False)
        attacked_model = foolbox.PyTorchModel(model, bounds=BOUNDS, device="cpu")
        images, labels = torch.from_numpy(images), torch.from_numpy(labels)
        _, found, fooled = attack(attacked_model, images, labels, epsilons=epsilon)
        return found.numpy(), ~fooled.numpy()

    def auto_pgd(
        self, model: nn.Module, images: torch.Tensor, labels: np.ndarray, epsilon: float, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """ART's Auto-PGD on cross-entropy with one random start."""
        classifier = self._art(model)
        attack = AutoProjectedGradientDescent(
            classifier,
            norm=np.inf,
            eps=epsilon,
            eps_step=2 * epsilon,
            max_iter=steps,
            targeted=False,
            nb_random_init=1,
            batch_size=len(images),
            loss_type="cross_entropy",
            verbose=False,
        )
        return _found_by(attack, classifier, images, labels)

    def square(
        self,
        model: nn.Module,
        images: torch.Tensor,
        labels: np.ndarray,
        epsilon: float,
        iterations: int,
        initial_share: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """ART's Square attack without restarts."""
        classifier = self._art(model)
        attack = SquareAttack(
            classifier,
            norm=np.inf,
            eps=epsilon,
            max_iter=iterations,
            p_init=initial_share,
            nb_restarts=1,
            batch_size=len(images),
            verbose=False,
        )
        return _found_by(attack, classifier, images, labels)

    def _art(self, model: nn.Module) -> Any:
        return PyTorchClassifier(
            model,
            loss=torch.nn.CrossEntropyLoss(),
            input_shape=self._images.shape[1:],
            nb_classes=self._classes,
            clip_values=BOUNDS,
            device_type="cpu",
        )


def _found_by(
    attack: Any, classifier: Any, images: torch.Tensor, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    adversarial = attack.generate(images, labels)
    return adversarial, classifier.predict(adversarial).argmax(axis=1) == labels


def main() -> None:
    """Runs the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arrays", required=True)
    parser.add_argument("--logits", required=True, help="npz file to write: logits by form")
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with np.load(arguments.arrays) as arrays:
        worker = Worker(dict(arrays))
    logits: dict[str, Any] = {form: worker.logits(form) for form in ("as_called", "tuned")}
    np.savez(arguments.logits, **logits)
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    _print(versions=versions, threads=torch.get_num_threads())
    for line in sys.stdin:
        _print(**worker.attack(**json.loads(line)))


def _print(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
