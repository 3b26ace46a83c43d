"""Attacks D with the authors' own AutoAttack (the package pyautoattack) on PyTorch, as asked.

Started by tools/compare_autoattack.py in an environment of its own (see attack_worker.py). Radii
and perturbed images that come and go are on [-1, 1]; the reference attacks a model of [0, 1].
"""

from typing import Any

import numpy as np
import torch
from attack_worker import AttackWorker, serve
from pyautoattack import AutoAttack
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from torch import nn

PACKAGES = ("torch", "pyautoattack", "numpy")
NORMS = {"linf": "Linf", "l2": "L2", "l1": "L1"}


class Scaled(nn.Module):
    """A model of images on [0, 1], made of one of images on [-1, 1]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns class logits."""
        scaled = 2.0 * images - 1.0
        if scaled.requires_grad:
            # The reference takes views of gradients, which channels last does not allow.
            scaled.register_hook(torch.Tensor.contiguous)
        return self.model(scaled)


class APGDFromStarts(APGDAttack):
    """Auto-PGD that begins each run where it is told to, not at a point that it draws.

    Attributes:
      starts: [rounds, N, C, H, W], for each run and each image that it is called with.
    """

    starts: torch.Tensor

    def perturb(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Attacks images as the reference does."""
        self._round = 0
        with torch.no_grad():
            self._left = (self.model(x).argmax(dim=1) == y).nonzero()[:, 0]
        return super().perturb(x, y)

    def attack_single_run(self, x: torch.Tensor, y: torch.Tensor, x_init: None = None) -> Any:
        """Makes one run on those images that no run before has fooled."""
        found = super().attack_single_run(x, y, self.starts[self._round][self._left])
        self._left = self._left[found[1] != 0]
        self._round += 1
        return found


class TargetedAPGDFromStarts(APGDFromStarts, APGDAttack_targeted):
    """Targeted Auto-PGD in the same way."""


class TracedFAB(FABAttack_PT):
    """FAB that keeps what each of its steps begins with and ends with.

    Attributes:
      trace: dict from "current", "values", "normals" and "moved" to a list, an entry a step.
    """

    def attack_single_run(self, *arguments: Any, **options: Any) -> torch.Tensor:
        """Makes one run."""
        self.trace: dict[str, list[np.ndarray]] = {
            name: [] for name in ("current", "values", "normals", "moved")
        }
        return super().attack_single_run(*arguments, **options)

    def get_diff_logits_grads_batch_targeted(
        self, imgs: torch.Tensor, la: torch.Tensor, la_target: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Begins a step."""
        values, normals = super().get_diff_logits_grads_batch_targeted(imgs, la, la_target)
        self.trace["current"].append(imgs.numpy().copy())
        self.trace["values"].append(values[:, 0].numpy().copy())
        self.trace["normals"].append(normals[:, 0].numpy().copy())
        return values, normals

    def _get_predicted_label(self, x: torch.Tensor) -> torch.Tensor:
        # Of the image itself before the first step, then of what each step has made.
        if self.trace["current"]:
            self.trace["moved"].append(x.numpy().copy())
        return super()._get_predicted_label(x)


class Worker(AttackWorker):
    """The reference's attacks, with the budgets that its standard version has."""

    def passes(
        self, model: nn.Module, images: np.ndarray, labels: np.ndarray, kind: str, repeats: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """D alone, as the attacks call it: a "query", or the "gradient" of cross-entropy."""
        scaled = Scaled(model)
        pixels, classes = torch.from_numpy((images + 1.0) / 2.0), torch.from_numpy(labels)
        for _ in range(repeats):
            points = pixels.clone().requires_grad_(kind == "gradient")
            with torch.set_grad_enabled(kind == "gradient"):
                loss = nn.functional.cross_entropy(scaled(points), classes, reduction="sum")
            if kind == "gradient":
                torch.autograd.grad(loss, [points])
        return images, np.ones(len(labels), bool)

    def apgd_ce(
        self,
        model: nn.Module,
        images: np.ndarray,
        labels: np.ndarray,
        norm: str,
        epsilon: float,
        starts: str | None = None,
        **budget: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Auto-PGD on cross-entropy."""
        kind = APGDAttack if starts is None else APGDFromStarts
        return self._apgd(kind, model, images, labels, norm, epsilon, starts, loss="ce", **budget)

    def apgd_t(
        self,
        model: nn.Module,
        images: np.ndarray,
        labels: np.ndarray,
        norm: str,
        epsilon: float,
        starts: str | None = None,
        **budget: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Auto-PGD on targeted DLR."""
        kind = APGDAttack_targeted if starts is None else TargetedAPGDFromStarts
        return self._apgd(kind, model, images, labels, norm, epsilon, starts, **budget)

    def fab_t(
        self,
        model: nn.Module,
        images: np.ndarray,
        labels: np.ndarray,
        norm: str,
        epsilon: float,
        **budget: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Targeted FAB from the images themselves."""
        attack = FABAttack_PT(
            Scaled(model),
            **_ball(norm, epsilon),
            targeted=True,
            n_restarts=1,
            device="cpu",
            **budget,
        )
        return _found(attack.perturb, Scaled(model), images, labels)

    def fab_steps(
        self,
        model: nn.Module,
        images: np.ndarray,
        labels: np.ndarray,
        norm: str,
        epsilon: float,
        n_iter: int,
        trace: str,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Targeted FAB towards the most likely wrong class, its steps written to `trace`."""
        attack = TracedFAB(
            Scaled(model),
            **_ball(norm, epsilon),
            targeted=True,
            n_target_classes=1,
            n_iter=n_iter,
            device="cpu",
        )
        found = _found(attack.perturb, Scaled(model), images, labels)
        # On [-1, 1], [steps, N, H, W, C]; the gradient by a pixel is half as large there.
        steps = {name: np.stack(values) for name, values in attack.trace.items()}
        points: dict[str, Any] = {name: 2.0 * steps[name] - 1.0 for name in ("current", "moved")}
        points["normals"] = steps["normals"] / 2.0
        points = {name: values.transpose(0, 1, 3, 4, 2) for name, values in points.items()}
        np.savez(trace, values=steps["values"], **points)
        return found

    def square(
        self,
        model: nn.Module,
        images: np.ndarray,
        labels: np.ndarray,
        norm: str,
        epsilon: float,
        **budget: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Square with the schedule that AutoAttack gives it."""
        attack = SquareAttack(
            Scaled(model),
            **_ball(norm, epsilon),
            p_init=0.8,
            n_restarts=1,
            resc_schedule=False,
            device="cpu",
            seed=torch.initial_seed(),
            **budget,
        )
        return _found(attack.perturb, Scaled(model), images, labels)

    def ensemble(
        self,
        model: nn.Module,
        images: np.ndarray,
        labels: np.ndarray,
        norm: str,
        epsilon: float,
        batch_size: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The standard version, as users call it."""
        ball = _ball(norm, epsilon)
        attack = AutoAttack(Scaled(model), **ball, seed=torch.initial_seed(), device="cpu")
        attack.verbose = False

        def perturb(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return attack.run_standard_evaluation(images, labels, batch_size=batch_size)[0]

        return _found(perturb, Scaled(model), images, labels)

    def _apgd(
        self,
        kind: type[APGDAttack],
        model: nn.Module,
        images: np.ndarray,
        labels: np.ndarray,
        norm: str,
        epsilon: float,
        starts: str | None,
        **budget: Any,
    ) -> tuple[np.ndarray, np.ndarray]:
        largest = {"use_largereps": True} if norm == "l1" else {}
        attack = kind(
            Scaled(model),
            **_ball(norm, epsilon),
            **largest,
            seed=torch.initial_seed(),
            device="cpu",
            **budget,
        )
        if starts is not None:
            points = (np.load(starts).transpose(0, 1, 4, 2, 3) + 1.0) / 2.0
            attack.starts = torch.from_numpy(np.ascontiguousarray(points))
        return _found(attack.perturb, Scaled(model), images, labels)


def _ball(norm: str, epsilon: float) -> dict[str, Any]:
    return {"norm": NORMS[norm], "eps": epsilon / 2.0}


def _found(
    perturb: Any, model: nn.Module, images: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    pixels, classes = torch.from_numpy((images + 1.0) / 2.0), torch.from_numpy(labels)
    adversarial = perturb(pixels, classes)
    with torch.no_grad():
        correct = model(adversarial).argmax(dim=1) == classes
    return 2.0 * adversarial.detach().numpy() - 1.0, correct.numpy()


if __name__ == "__main__":
    serve(Worker, PACKAGES, __doc__.splitlines()[0])
