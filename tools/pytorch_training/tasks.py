"""What a worker repeats: a kind of step on images in memory, first with given random numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pytorch_training import classifier_step, step
from pytorch_training.form import Ball, Form

Arrays = Mapping[str, np.ndarray]


class Joint:
    """A step of joint training.

    Args:
      arrays: of "generator" and "discriminator", each before a colon; `images` [n, N, H, W, C],
        `labels` [n, N], and the random numbers of the first step: `starts`, `latents` and
        `fake_labels` (`step.Draws`).
      form: how it is written.
      settings: of `step.Settings`, the ball's numbers among them.
    """

    def __init__(self, arrays: Arrays, form: Form, settings: Mapping[str, Any]) -> None:
        networks = [_of(arrays, name) for name in ("generator", "discriminator")]
        self._ball, others = _ball(settings)
        self._step = step.TrainingStep(*networks, form, step.Settings(self._ball, **others))
        self._images = channels_first(arrays["images"])
        self._labels = torch.from_numpy(arrays["labels"])
        self._first = step.Draws(
            channels_first(arrays["starts"]),
            torch.from_numpy(arrays["latents"]),
            torch.from_numpy(arrays["fake_labels"]),
        )

    def first(self) -> list[float]:
        """Makes the first step; returns its losses, of D and of G."""
        return list(self._step(self._images, self._labels, self._first))

    def again(self) -> None:
        """Makes a step with random numbers of its own."""
        like = self._first
        labels = torch.randint(int(like.labels.max()) + 1, like.labels.shape)
        starts = _random_starts(self._images, self._ball)
        draws = step.Draws(starts, torch.randn(like.latents.shape), labels)
        self._step(self._images, self._labels, draws)


class Classifier:
    """An update of the classifier.

    Args:
      arrays: of "discriminator", before a colon; `images` [N, H, W, C], `labels` [N], and
        `starts` [k, N, H, W, C] of the attacks of the first updates.
      form: how it is written.
      settings: of `classifier_step.Settings`, the ball's numbers among them.
    """

    def __init__(self, arrays: Arrays, form: Form, settings: Mapping[str, Any]) -> None:
        self._ball, others = _ball(settings)
        self._step = classifier_step.ClassifierStep(
            _of(arrays, "discriminator"), form, classifier_step.Settings(self._ball, **others)
        )
        self._images = channels_first(arrays["images"])
        self._labels = torch.from_numpy(arrays["labels"])
        self._starts = channels_first(arrays["starts"])

    def first(self) -> list[float]:
        """Makes the first updates; returns the loss of each."""
        return [self._step(self._images, self._labels, start) for start in self._starts]

    def again(self) -> None:
        """Makes an update with random numbers of its own."""
        self._step(self._images, self._labels, _random_starts(self._images, self._ball))


KINDS = {"joint": Joint, "classifier": Classifier}


def channels_first(values: np.ndarray) -> torch.Tensor:
    """[..., H, W, C] to [..., C, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, -3)))


def _of(arrays: Arrays, model: str) -> dict[str, np.ndarray]:
    prefix = f"{model}:"
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def _ball(settings: Mapping[str, Any]) -> tuple[Ball, dict[str, Any]]:
    """The ball, and the other settings."""
    names = ("epsilon", "step_size", "steps")
    others = {name: value for name, value in settings.items() if name not in names}
    return Ball(**{name: settings[name] for name in names}), others


def _random_starts(images: torch.Tensor, ball: Ball) -> torch.Tensor:
    noise = torch.empty_like(images).uniform_(-ball.epsilon, ball.epsilon)
    return (images + noise).clamp(-1.0, 1.0)
