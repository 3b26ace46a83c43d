"""What the command line says to every section."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """What the sections are told.

    Attributes:
      base_width: of the networks; 64 is the published one.
      steps: of the real training run.
      data_dir: prepared CIFAR-10; None for scikit-learn's digits instead.
      attack_batches: batch sizes of PGD-20.
      images: generated and looked at by feature extractors.
      seconds_per_timing: each timing is repeated for about so long.
      reference: file of the CPU's first losses, or None.
      with_inception: whether to time an Inception network, with random weights.
    """

    base_width: int = 64
    steps: int = 300
    data_dir: str | None = None
    attack_batches: tuple[int, ...] = (100, 1000)
    images: int = 5000
    seconds_per_timing: float = 5.0
    reference: str | None = None
    with_inception: bool = True
