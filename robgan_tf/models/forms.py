"""What published code does otherwise than the networks here, a form by its name.

"own" is this package's. "official_code" is the authors' PyTorch code and "sngan" the Chainer code
of SN-GAN with projection (Miyato and Koyama, ICLR 2018). docs/reference/published.md says which is
better and why, and how near each comes to the published code.
"""

import dataclasses
from typing import Any

from robgan_tf.models.initializers import GAIN_3X3

PYTORCH_EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class GeneratorForm:
    """A form of G.

    Attributes:
      image_gain: of the initial kernel of the convolution to the image.
      conditional_momentum: share of the old average that class-conditional normalization keeps.
      epsilon: of the last normalization.
      unbiased: whether averages are of the unbiased variance.
      random_biases: whether the dense layer's and the last convolution's biases start as PyTorch's
        do. Those in between have no effect: a normalization over the batch takes them away.
    """

    image_gain: float
    conditional_momentum: float
    epsilon: float
    unbiased: bool
    random_biases: bool

    def conditional(self) -> dict[str, Any]:
        """Arguments of class-conditional normalization."""
        return {"momentum": self.conditional_momentum, "unbiased": self.unbiased}

    def plain(self) -> dict[str, Any]:
        """Arguments of the last normalization."""
        return {"epsilon": self.epsilon, "unbiased": self.unbiased}


@dataclasses.dataclass(frozen=True)
class DiscriminatorForm:
    """A form of D.

    Attributes:
      normalize_convolutions: whether batch normalization follows each convolution, that of a
        shortcut too, and none goes before a block; otherwise it goes before each ReLU of a block.
      source_bias: whether the source head carries a bias.
      random_biases: whether the heads' biases start as PyTorch's do.
    """

    normalize_convolutions: bool
    source_bias: bool
    random_biases: bool


@dataclasses.dataclass(frozen=True)
class PreActForm:
    """A form of PreActResNet-18.

    Attributes:
      even_padding: whether strided convolutions pad both sides, which keeps the main path and the
        shortcut, a 1x1 convolution, on the same pixels.
      last_activation: whether there is an activation between the last block and average pooling.
      he_kernels: whether kernels start as He's (normal, by fan-out) and, where they are 1x1, the
        first or dense, as PyTorch's; otherwise as Glorot's.
    """

    even_padding: bool
    last_activation: bool
    he_kernels: bool


GENERATOR_FORMS = {
    "own": GeneratorForm(GAIN_3X3, 0.9, 2e-5, unbiased=False, random_biases=False),
    # PyTorch's momentum is the share of the new batch, and 0.9 was given for it.
    "official_code": GeneratorForm(1.0, 0.1, PYTORCH_EPSILON, unbiased=True, random_biases=True),
    "sngan": GeneratorForm(1.0, 0.9, 2e-5, unbiased=True, random_biases=False),
}
DISCRIMINATOR_FORMS = {
    "own": DiscriminatorForm(False, source_bias=True, random_biases=False),
    "official_code": DiscriminatorForm(True, source_bias=True, random_biases=True),
    "sngan": DiscriminatorForm(False, source_bias=False, random_biases=False),
}
PREACT_FORMS = {
    "own": PreActForm(even_padding=False, last_activation=True, he_kernels=False),
    "official_code": PreActForm(even_padding=True, last_activation=False, he_kernels=True),
}
