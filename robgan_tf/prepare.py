"""Prepares images for training: stored once, at the size it needs, as TensorFlow Datasets has them.

    python -m robgan_tf.prepare imagenet143 --source=ILSVRC2012 --data_dir=data --resolution=64

prepares the 143 classes of ILSVRC2012 that the paper trains on, of its tar files, of synset
folders, or of a copy in TensorFlow Datasets.

    python -m robgan_tf.prepare folder --source=my_images --data_dir=data --name=my_pets

prepares images in class folders.
"""

import sys
from collections.abc import Sequence

from robgan_tf.cli import prepare_folder, prepare_imagenet143, start
from robgan_tf.cli.command import Kinds

COMMAND = Kinds(
    "prepare",
    "Prepares images for training.",
    (prepare_imagenet143.COMMAND, prepare_folder.COMMAND),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
