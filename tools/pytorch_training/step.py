"""The training step in PyTorch: n D updates with PGD, then a G update (paper, section 3.3)."""

import copy
import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from pytorch_training.form import Ball, Form
from pytorch_training.networks import Generator
from torch.nn import functional


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numbers of a step.

    Attributes:
      ball: of PGD.
      learning_rate: of both optimizers.
      betas: of both.
      average_decay: of the moving average of G.
    """

    ball: Ball
    learning_rate: float
    betas: tuple[float, float]
    average_decay: float


@dataclasses.dataclass(frozen=True)
class Draws:
    """Random numbers of a step: n D updates, then the G update.

    Attributes:
      starts: [n, N, C, H, W], where attacks start.
      latents: [n + 1, N, Z].
      labels: [n + 1, N] classes of the fakes.
    """

    starts: torch.Tensor
    latents: torch.Tensor
    labels: torch.Tensor


class TrainingStep:
    """Networks, optimizers, and a step of them.

    Args:
      generator: arrays of G as `Layers` takes them, and `resample`, one truth value a block.
      discriminator: the same of D.
      form: how it is written.
      settings: numbers.
    """

    def __init__(
        self,
        generator: Mapping[str, np.ndarray],
        discriminator: Mapping[str, np.ndarray],
        form: Form,
        settings: Settings,
    ) -> None:
        self._form = form
        self._settings = settings
        resample = [bool(up) for up in generator["resample"]]
        self._generator = form.laid_out_model(
            Generator(form.layers(generator), resample, form.dtype)
        )
        self._discriminator = form.discriminator(discriminator)
        self._average = copy.deepcopy(self._generator).requires_grad_(False)
        self._optimizers = {
            model: form.adam(model, settings.learning_rate, settings.betas)
            for model in (self._generator, self._discriminator)
        }
        self._updates = 0

    def __call__(
        self, images: torch.Tensor, labels: torch.Tensor, draws: Draws
    ) -> tuple[float, float]:
        """Makes a step.

        Args:
          images: [n, N, C, H, W] real ones.
          labels: [n, N].
          draws: random numbers.

        Returns:
          The loss of D, a mean over its updates, and the loss of G.
        """
        form, losses = self._form, []
        for number in range(len(images)):
            fakes = draws.latents[number], draws.labels[number]
            with form.precision():
                losses.append(
                    self._discriminator_update(
                        form.laid_out(images[number]),
                        labels[number],
                        form.laid_out(draws.starts[number]),
                        *fakes,
                    )
                )
        with form.precision():
            loss = self._generator_update(draws.latents[-1], draws.labels[-1])
        self._move_average()
        return float(torch.stack(losses).mean()), float(loss)

    def _discriminator_update(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        start: torch.Tensor,
        latents: torch.Tensor,
        fake_labels: torch.Tensor,
    ) -> torch.Tensor:
        form, model = self._form, self._discriminator
        optimizer = self._optimizers[model]
        with form.kernels(model, advance=True):
            with form.attacked(model):
                attacked = form.pgd(
                    lambda x: _real_loss(model(x), labels).sum(),
                    images,
                    start,
                    self._settings.ball,
                )
            optimizer.zero_grad(set_to_none=not form.written)
            with torch.no_grad(), form.kernels(self._generator):
                fakes = self._generator(latents, fake_labels)
            with form.cached():
                real = _real_loss(model(attacked), labels)
                fake = functional.softplus(model(fakes)[0])
            loss = real.mean() + fake.mean()
            loss.backward()
        optimizer.step()
        return loss.detach()

    def _generator_update(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        form, model = self._form, self._discriminator
        optimizer = self._optimizers[self._generator]
        optimizer.zero_grad(set_to_none=not form.written)
        held = form.kernels(model), form.kernels(self._generator)
        with form.frozen(model), form.cached(), held[0], held[1]:
            source, classes = model(self._generator(latents, labels))
            loss = functional.softplus(-source).mean() + functional.cross_entropy(classes, labels)
            loss.backward()
        optimizer.step()
        return loss.detach()

    def _move_average(self) -> None:
        """As ours: the decay is lower early on."""
        self._updates += 1
        decay = min(self._settings.average_decay, (1.0 + self._updates) / (10.0 + self._updates))
        pairs = [list(model.parameters()) for model in (self._average, self._generator)]
        pairs = [
            values + [buffer for buffer in model.buffers() if buffer.is_floating_point()]
            for values, model in zip(pairs, (self._average, self._generator), strict=True)
        ]
        with torch.no_grad():
            if not self._form.written:
                torch._foreach_lerp_(*pairs, 1.0 - decay)
                return
            for averaged, value in zip(*pairs, strict=True):
                averaged.mul_(decay).add_(value, alpha=1.0 - decay)


def _real_loss(logits: tuple[torch.Tensor, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """D's loss on real images from source and class logits, [N]: equation (9), all weights 1."""
    source, classes = logits
    of_class = functional.cross_entropy(classes, labels, reduction="none")
    return functional.softplus(-source) + of_class
