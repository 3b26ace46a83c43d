"""The training step in PyTorch: n D updates with PGD, then a G update (paper, section 3.3).

Forms:
  as_written: as a user would write it: eager, float32, gradients of the weights in the attack too.
  guides: as PyTorch's own guides say: channels last, parameters frozen in attack and G update,
    normalized kernels cached, foreach and fused optimizers, bfloat16 by autocast.
  rewrites: this project's exact rewrites carried over, bfloat16 by explicit casts.
"""

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from pytorch_training.layers import Layers
from pytorch_training.networks import Discriminator, Generator
from pytorch_training.rewritten import RewrittenLayers, constant_kernels, hold
from torch.nn import functional
from torch.nn.utils import parametrize

FORMS = ("as_written", "guides", "rewrites")
_BETAS, _ADAM_EPSILON = (0.0, 0.9), 1e-8


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numbers of a step.

    Attributes:
      form: one of `FORMS`.
      bfloat16: whether convolutions are.
      epsilon: radius of PGD on [-1, 1].
      step_size: of PGD.
      steps: of PGD.
      learning_rate: of both optimizers.
      average_decay: of the moving average of G.
    """

    form: str
    bfloat16: bool
    epsilon: float
    step_size: float
    steps: int
    learning_rate: float
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
      settings: numbers.
    """

    def __init__(
        self,
        generator: Mapping[str, np.ndarray],
        discriminator: Mapping[str, np.ndarray],
        settings: Settings,
    ) -> None:
        self._settings = settings
        self._written = settings.form == "as_written"
        self._rewritten = settings.form == "rewrites"
        dtype = torch.bfloat16 if settings.bfloat16 and self._rewritten else torch.float32
        self._generator = Generator(
            self._layers(generator, dtype), [bool(up) for up in generator["resample"]], dtype
        )
        self._discriminator = Discriminator(
            self._layers(discriminator, dtype), [bool(down) for down in discriminator["resample"]]
        )
        if not self._written:
            for model in (self._generator, self._discriminator):
                model.to(memory_format=torch.channels_last)
        self._average = copy.deepcopy(self._generator).requires_grad_(False)
        self._optimizers = {
            model: torch.optim.Adam(
                model.parameters(),
                settings.learning_rate,
                _BETAS,
                _ADAM_EPSILON,
                fused=None if self._written else True,
            )
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
        losses = []
        for number in range(len(images)):
            fakes = draws.latents[number], draws.labels[number]
            with self._precision():
                losses.append(
                    self._discriminator_update(
                        self._laid_out(images[number]),
                        labels[number],
                        self._laid_out(draws.starts[number]),
                        *fakes,
                    )
                )
        with self._precision():
            loss = self._generator_update(draws.latents[-1], draws.labels[-1])
        self._move_average()
        return float(torch.stack(losses).mean()), float(loss)

    def attack(
        self, images: torch.Tensor, labels: torch.Tensor, start: torch.Tensor
    ) -> torch.Tensor:
        """PGD on D's whole loss on real images; returns attacked images."""
        settings = self._settings
        attacked = start
        for _ in range(settings.steps):
            attacked = attacked.detach().requires_grad_(True)
            loss = _real_loss(self._discriminator(attacked), labels).sum()
            if self._written:
                loss.backward()
                gradient = attacked.grad
            else:
                (gradient,) = torch.autograd.grad(loss, attacked)
            with torch.no_grad():
                moved = attacked + settings.step_size * gradient.sign() - images
                moved = images + moved.clamp(-settings.epsilon, settings.epsilon)
                attacked = moved.clamp(-1.0, 1.0)
        return attacked.detach()

    def _discriminator_update(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        start: torch.Tensor,
        latents: torch.Tensor,
        fake_labels: torch.Tensor,
    ) -> torch.Tensor:
        optimizer = self._optimizers[self._discriminator]
        with self._kernels():
            with self._attacked():
                attacked = self.attack(images, labels, start)
            optimizer.zero_grad(set_to_none=not self._written)
            with torch.no_grad(), self._kernels_of_generator():
                fakes = self._generator(latents, fake_labels)
            with self._cached():
                real = _real_loss(self._discriminator(attacked), labels)
                fake = functional.softplus(self._discriminator(fakes)[0])
            loss = real.mean() + fake.mean()
            loss.backward()
        optimizer.step()
        return loss.detach()

    def _generator_update(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        optimizer = self._optimizers[self._generator]
        optimizer.zero_grad(set_to_none=not self._written)
        frozen = contextlib.nullcontext() if self._written else self._frozen()
        with frozen, self._cached(), self._kernels(advance=False), self._kernels_of_generator():
            source, classes = self._discriminator(self._generator(latents, labels))
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
            if not self._written:
                torch._foreach_lerp_(*pairs, 1.0 - decay)
                return
            for averaged, value in zip(*pairs, strict=True):
                averaged.mul_(decay).add_(value, alpha=1.0 - decay)

    def _layers(self, arrays: Mapping[str, np.ndarray], dtype: torch.dtype) -> Layers:
        return RewrittenLayers(arrays, dtype) if self._rewritten else Layers(arrays)

    def _laid_out(self, images: torch.Tensor) -> torch.Tensor:
        return images if self._written else images.contiguous(memory_format=torch.channels_last)

    def _precision(self) -> contextlib.AbstractContextManager:
        if self._settings.bfloat16 and not self._rewritten:
            return torch.autocast("cpu", torch.bfloat16)
        return contextlib.nullcontext()

    def _kernels(self, advance: bool = True) -> contextlib.AbstractContextManager:
        """Kernels of D, prepared once an update in the rewritten form."""
        if self._rewritten:
            return hold(self._discriminator, advance)
        return contextlib.nullcontext()

    def _kernels_of_generator(self) -> contextlib.AbstractContextManager:
        return hold(self._generator) if self._rewritten else contextlib.nullcontext()

    @contextlib.contextmanager
    def _attacked(self) -> Iterator[None]:
        """D as the attack needs it: nothing of it moves."""
        if self._rewritten:
            with constant_kernels(self._discriminator), self._frozen():
                yield
            return
        self._discriminator.eval()
        with self._cached(), contextlib.nullcontext() if self._written else self._frozen():
            yield
        self._discriminator.train()

    def _cached(self) -> contextlib.AbstractContextManager:
        if self._settings.form == "guides":
            return parametrize.cached()
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[None]:
        self._discriminator.requires_grad_(False)
        try:
            yield
        finally:
            self._discriminator.requires_grad_(True)


def _real_loss(logits: tuple[torch.Tensor, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """D's loss on real images from source and class logits, [N]: equation (9), all weights 1."""
    source, classes = logits
    of_class = functional.cross_entropy(classes, labels, reduction="none")
    return functional.softplus(-source) + of_class
