"""Attacks D with Foolbox and the Adversarial Robustness Toolbox (ART) on PyTorch, as asked.

Started by tools/compare_attacks.py in an environment of its own (see attack_worker.py).
"""

from typing import Any

import foolbox
import numpy as np
import torch
from art.attacks.evasion import AutoProjectedGradientDescent, SquareAttack
from art.estimators.classification import PyTorchClassifier
from attack_worker import AttackWorker, serve
from torch import nn

BOUNDS = (-1.0, 1.0)
PACKAGES = ("torch", "foolbox", "adversarial-robustness-toolbox", "numpy")


class Worker(AttackWorker):
    """The libraries' attacks."""

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
            input_shape=self.images.shape[1:],
            nb_classes=self.classes,
            clip_values=BOUNDS,
            device_type="cpu",
        )


def _found_by(
    attack: Any, classifier: Any, images: torch.Tensor, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    adversarial = attack.generate(images, labels)
    return adversarial, classifier.predict(adversarial).argmax(axis=1) == labels


if __name__ == "__main__":
    serve(Worker, PACKAGES, __doc__.splitlines()[0])
