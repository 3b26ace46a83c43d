"""Evaluates what training made.

    python -m robgan_tf.evaluate robustness --run_dir=runs/cifar10 --attack=published

measures accuracy under attack: of a run's discriminator (--run_dir, repeatable) or of any
SavedModel or Keras file with class logits (--model). The same command continues an interrupted
evaluation.

    python -m robgan_tf.evaluate gap --run_dir=runs/cifar10

measures every kept checkpoint of a run on training, validation and test images: accuracy clean and
under attack, mean local Lipschitz value; as CSV and as a plot (Figures 2 and 6).

    python -m robgan_tf.evaluate quality --run_dir=runs/cifar10 --features=inception2015:FILE

compares images of a run's generator with real ones: Inception Score, Fréchet distance, kernel
distance, precision and recall, on the features of any extractor.

    python -m robgan_tf.evaluate corruptions --run_dir=runs/cifar10 --data_dir=CIFAR-10-C

measures accuracy on prepared sets of corrupted images, by kind and severity, and the mean
corruption error.
"""

import sys
from collections.abc import Sequence

from robgan_tf.cli import (
    evaluate_corruptions,
    evaluate_gap,
    evaluate_quality,
    evaluate_robustness,
    start,
)
from robgan_tf.cli.command import Kinds

COMMAND = Kinds(
    "evaluate",
    "Evaluates what training made.",
    (
        evaluate_robustness.COMMAND,
        evaluate_gap.COMMAND,
        evaluate_quality.COMMAND,
        evaluate_corruptions.COMMAND,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
