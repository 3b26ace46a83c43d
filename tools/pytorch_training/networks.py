"""G and D in PyTorch, of any widths: images are [N, C, H, W] in [-1, 1]."""

import torch
from pytorch_training.layers import (
    ConditionalBatchNormalization,
    Layers,
    batch_normalization,
)
from torch import nn
from torch.nn import functional


class GeneratorBlock(nn.Module):
    """A residual block with class-conditional batch normalization."""

    def __init__(self, layers: Layers, name: str, resample: bool) -> None:
        super().__init__()
        arrays = layers.arrays
        self.normalization_1 = ConditionalBatchNormalization(arrays, f"{name}/normalization_1")
        self.normalization_2 = ConditionalBatchNormalization(arrays, f"{name}/normalization_2")
        make = layers.up_sampled if resample else layers.convolution
        self.convolution_1 = make(f"{name}/convolution_1")
        self.convolution_2 = layers.convolution(f"{name}/convolution_2")
        self.shortcut: nn.Module = nn.Identity()
        if layers.has(f"{name}/shortcut"):
            make = layers.up_sampled_shortcut if resample else layers.convolution
            self.shortcut = make(f"{name}/shortcut")

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] to [N, width, H, W], twice as high and wide where it resamples."""
        hidden = self.convolution_1(functional.relu(self.normalization_1(inputs, labels)))
        hidden = self.convolution_2(functional.relu(self.normalization_2(hidden, labels)))
        return hidden + self.shortcut(inputs)


class Generator(nn.Module):
    """Latents [N, Z] and classes [N] to images."""

    def __init__(self, layers: Layers, resample: list[bool], dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.dense = layers.linear("dense")
        self.blocks = nn.ModuleList(
            GeneratorBlock(layers, f"block_{number}", up)
            for number, up in enumerate(resample, start=1)
        )
        self.normalization = batch_normalization(layers.arrays, "normalization")
        self.to_image = layers.of_pixels("to_image")

    def forward(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Returns images."""
        hidden = self.dense(latents).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        hidden = hidden.to(self.dtype)
        for block in self.blocks:
            hidden = block(hidden, labels)
        return torch.tanh(self.to_image(functional.relu(self.normalization(hidden))))


class DiscriminatorBlock(nn.Module):
    """A residual block; the first one sees the image and has no leading ReLU."""

    def __init__(self, layers: Layers, name: str, first: bool, resample: bool) -> None:
        super().__init__()
        self.first = first
        make = layers.of_pixels if first else layers.convolution
        self.convolution_1 = make(f"{name}/convolution_1")
        make = layers.pooled if resample else layers.convolution
        self.convolution_2 = make(f"{name}/convolution_2")
        self.shortcut: nn.Module = nn.Identity()
        if layers.has(f"{name}/shortcut"):
            self.shortcut = (
                layers.pooled_shortcut(f"{name}/shortcut", first)
                if resample
                else layers.convolution(f"{name}/shortcut")
            )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] to [N, width, H, W], half as high and wide where it resamples."""
        hidden = inputs if self.first else functional.relu(inputs)
        hidden = functional.relu(self.convolution_1(hidden))
        hidden = self.convolution_2(hidden)
        return hidden + self.shortcut(inputs).to(hidden.dtype)


class Discriminator(nn.Module):
    """Images to source logits [N] and class logits [N, K]."""

    def __init__(self, layers: Layers, resample: list[bool]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                DiscriminatorBlock(layers, f"block_{number}", number == 1, down)
                for number, down in enumerate(resample, start=1)
            )
        )
        self.source_head = layers.linear("source_head")
        self.class_head = layers.linear("class_head")

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns both logits."""
        features = self._features(images)
        return self.source_head(features).squeeze(1), self.class_head(features)

    def classify(self, images: torch.Tensor) -> torch.Tensor:
        """Returns class logits alone."""
        return self.class_head(self._features(images))

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.blocks(images)).float().sum(dim=(2, 3))
