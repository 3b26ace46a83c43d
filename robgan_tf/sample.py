"""Samples the generator of a run.

    python -m robgan_tf.sample sheet --run_dir=runs/cifar10

draws a PNG with a class a row.

    python -m robgan_tf.sample interpolation --run_dir=runs/cifar10 --between=classes

draws the way from a latent to another, or from a class to the next: as a PNG with a way a row, and
as an animated GIF.

    python -m robgan_tf.sample images --run_dir=runs/cifar10 --num_images=50000

writes PNGs in class folders or one npz, as the finetune command takes them; without a truncation
they are the images that `evaluate quality` measures for the same seed and number. The same command
continues an interrupted folder.

    python -m robgan_tf.sample neighbours --run_dir=runs/cifar10 --features=inception2015:FILE

shows samples beside the nearest training images by those features, to see whether the generator
memorises: as a PNG, and the distances as JSON.

What is there already is never overwritten.
"""

import sys
from collections.abc import Sequence

from robgan_tf.cli import (
    sample_images,
    sample_interpolation,
    sample_neighbours,
    sample_sheet,
    start,
)
from robgan_tf.cli.command import Kinds

COMMAND = Kinds(
    "sample",
    "Samples the generator of a run.",
    (
        sample_sheet.COMMAND,
        sample_interpolation.COMMAND,
        sample_images.COMMAND,
        sample_neighbours.COMMAND,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
