"""One update of the classifier by adversarial training in PyTorch: equation (3), on real images."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from pytorch_training.form import Ball, Form
from torch.nn import functional


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numbers of an update.

    Attributes:
      ball: of PGD.
      learning_rate: of Adam.
      betas: of Adam.
    """

    ball: Ball
    learning_rate: float
    betas: tuple[float, float]


class ClassifierStep:
    """D, whose class head alone is trained and attacked, its optimizer, and an update.

    Args:
      discriminator: arrays of D as `Layers` takes them, and `resample`, one truth value a block.
      form: how it is written.
      settings: numbers.
    """

    def __init__(
        self, discriminator: Mapping[str, np.ndarray], form: Form, settings: Settings
    ) -> None:
        self._form, self._settings = form, settings
        self._model = form.discriminator(discriminator)
        # Its source head has no gradient, which Adam passes over.
        self._optimizer = form.adam(self._model, settings.learning_rate, settings.betas)

    def __call__(self, images: torch.Tensor, labels: torch.Tensor, start: torch.Tensor) -> float:
        """Makes an update.

        Args:
          images: [N, C, H, W] real ones.
          labels: [N].
          start: [N, C, H, W], where attacks start.

        Returns:
          The mean cross-entropy of the attacked images.
        """
        form, model = self._form, self._model
        images, start = form.laid_out(images), form.laid_out(start)
        with form.precision(), form.kernels(model, advance=True):
            with form.attacked(model):
                attacked = form.pgd(
                    lambda x: functional.cross_entropy(model.classify(x), labels, reduction="sum"),
                    images,
                    start,
                    self._settings.ball,
                )
            self._optimizer.zero_grad(set_to_none=not form.written)
            with form.cached():
                loss = functional.cross_entropy(model.classify(attacked), labels)
            loss.backward()
        self._optimizer.step()
        return float(loss.detach())
