"""What the command line says to every case."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """What cases may ask for.

    Attributes:
      rounds: how often each variant is run.
      data_dir: where CIFAR-10 is, or ImageNet-143, or None.
      pytorch_python: interpreter of an environment with torch and foolbox, or None.
      feature_weights: npz of EfficientNet-Lite0's weights, or None.
    """

    rounds: int
    data_dir: str | None
    pytorch_python: str | None
    feature_weights: str | None = None
