"""How a step is written in PyTorch, and what that means for D, its kernels and its attack.

Forms:
  as_written: as a user would write it: eager, float32, gradients of the weights in the attack too.
  guides: as PyTorch's own guides say: channels last, parameters frozen in attack and G update,
    normalized kernels cached, foreach and fused optimizers, bfloat16 by autocast.
  rewrites: this project's exact rewrites carried over, bfloat16 by explicit casts.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from pytorch_training.layers import Layers
from pytorch_training.networks import Discriminator
from pytorch_training.rewritten import RewrittenLayers, constant_kernels, hold
from torch import nn
from torch.nn.utils import parametrize

FORMS = ("as_written", "guides", "rewrites")
_ADAM_EPSILON = 1e-8


@dataclasses.dataclass(frozen=True)
class Ball:
    """The ball of PGD and its steps, on [-1, 1]: radius, size and number of steps."""

    epsilon: float
    step_size: float
    steps: int


@dataclasses.dataclass(frozen=True)
class Form:
    """One way of writing a step.

    Attributes:
      name: one of `FORMS`.
      bfloat16: whether convolutions are.
    """

    name: str
    bfloat16: bool

    @property
    def written(self) -> bool:
        """Whether nothing is done for speed."""
        return self.name == "as_written"

    @property
    def rewritten(self) -> bool:
        """Whether the exact rewrites are carried over."""
        return self.name == "rewrites"

    @property
    def dtype(self) -> torch.dtype:
        """What convolutions are called with; autocast decides for itself."""
        return torch.bfloat16 if self.bfloat16 and self.rewritten else torch.float32

    def layers(self, arrays: Mapping[str, np.ndarray]) -> Layers:
        """What makes the layers of a network from its arrays."""
        return RewrittenLayers(arrays, self.dtype) if self.rewritten else Layers(arrays)

    def discriminator(self, arrays: Mapping[str, np.ndarray]) -> Discriminator:
        """Builds D from arrays as `Layers` takes them, and `resample`, a truth value a block."""
        resample = [bool(down) for down in arrays["resample"]]
        return self.laid_out_model(Discriminator(self.layers(arrays), resample))

    def laid_out_model(self, model: nn.Module) -> nn.Module:
        """Weights in the memory format of the form."""
        return model if self.written else model.to(memory_format=torch.channels_last)

    def laid_out(self, images: torch.Tensor) -> torch.Tensor:
        """Images [N, C, H, W] in the memory format of the form."""
        return images if self.written else images.contiguous(memory_format=torch.channels_last)

    def adam(
        self, model: nn.Module, learning_rate: float, betas: tuple[float, float]
    ) -> torch.optim.Adam:
        """The optimizer of a network."""
        fused = None if self.written else True
        return torch.optim.Adam(
            model.parameters(), learning_rate, betas, _ADAM_EPSILON, fused=fused
        )

    def precision(self) -> contextlib.AbstractContextManager:
        """Within it convolutions are in the precision of the form."""
        if self.bfloat16 and not self.rewritten:
            return torch.autocast("cpu", torch.bfloat16)
        return contextlib.nullcontext()

    def kernels(self, model: nn.Module, advance: bool = False) -> contextlib.AbstractContextManager:
        """Kernels of a network, prepared once for all calls within, in the rewritten form."""
        return hold(model, advance) if self.rewritten else contextlib.nullcontext()

    def cached(self) -> contextlib.AbstractContextManager:
        """Normalized kernels, computed once for all calls within, as the guides say."""
        return parametrize.cached() if self.name == "guides" else contextlib.nullcontext()

    def frozen(self, discriminator: nn.Module) -> contextlib.AbstractContextManager:
        """D without gradients of its weights; in the written form with them."""
        return contextlib.nullcontext() if self.written else _without_gradients(discriminator)

    @contextlib.contextmanager
    def attacked(self, discriminator: nn.Module) -> Iterator[None]:
        """D as the attack needs it: nothing of it moves. Within `kernels`."""
        if self.rewritten:
            with constant_kernels(discriminator), self.frozen(discriminator):
                yield
            return
        discriminator.eval()
        with self.cached(), self.frozen(discriminator):
            yield
        discriminator.train()

    def pgd(
        self,
        loss: Callable[[torch.Tensor], torch.Tensor],
        images: torch.Tensor,
        start: torch.Tensor,
        ball: Ball,
    ) -> torch.Tensor:
        """PGD in the L-infinity ball. Within `attacked`.

        Args:
          loss: function from images [N, C, H, W] to the sum of their losses.
          images: clean ones in [-1, 1].
          start: where the attack starts.
          ball: radius and steps.

        Returns:
          Attacked images.
        """
        attacked = start
        for _ in range(ball.steps):
            attacked = attacked.detach().requires_grad_(True)
            total = loss(attacked)
            if self.written:
                total.backward()
                gradient = attacked.grad
            else:
                (gradient,) = torch.autograd.grad(total, attacked)
            with torch.no_grad():
                moved = attacked + ball.step_size * gradient.sign() - images
                moved = images + moved.clamp(-ball.epsilon, ball.epsilon)
                attacked = moved.clamp(-1.0, 1.0)
        return attacked.detach()


@contextlib.contextmanager
def _without_gradients(model: nn.Module) -> Iterator[None]:
    model.requires_grad_(False)
    try:
        yield
    finally:
        model.requires_grad_(True)
