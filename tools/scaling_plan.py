"""Counts the steps of the published settings and calculates what they ask of accelerators.

    python -m tools.scaling_plan --output_dir=docs/results/scaling

traces the steps of gin/cifar10.gin, gin/imagenet143_64.gin, gin/imagenet143_128.gin and of stage 2
after each at full width, without running them (three minutes of a core), and writes counts.json and
tables.md. Times are calculated from them and from the figures of tools/scaling/machines.py.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence

from robgan_tf.cli import (
    start as command,  # its environment settings come before TensorFlow is imported
)

# isort: split
from robgan_tf.files import write_atomically
from tools.scaling import steps, tables
from tools.scaling.steps import StepCosts

GIN_FILES = {
    "CIFAR-10": "gin/cifar10.gin",
    "ImageNet-143, 64 px": "gin/imagenet143_64.gin",
    "ImageNet-143, 128 px": "gin/imagenet143_128.gin",
}
STAGE_2 = "gin/finetune/rob_gan.gin"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status.

    Args:
      argv: arguments without the command; those of the process if not given.
    """
    arguments = _arguments(argv)
    counted = count(arguments.gin_param)
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    counts = json.dumps([one.as_json() for one in counted], indent=1)
    write_atomically(arguments.output_dir / "counts.json", counts + "\n")
    write_atomically(arguments.output_dir / "tables.md", tables.markdown(counted))
    print(tables.markdown(counted))
    return 0


def count(bindings: Sequence[str]) -> list[StepCosts]:
    """Counts both stages of every data set, stage 1 of CIFAR-10 first."""
    counted = [steps.joint(name, [path], bindings) for name, path in GIN_FILES.items()]
    return counted + [
        steps.finetune(f"{name}, stage 2", [STAGE_2], [path], bindings)
        for name, path in GIN_FILES.items()
    ]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], usage=argparse.SUPPRESS)
    parser.add_argument("--output_dir", type=pathlib.Path, required=True)
    parser.add_argument("--gin_param", action="append", default=[], help="over all gin files")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(command.finish(main))
