"""Compares attacks with those of Foolbox and the Adversarial Robustness Toolbox (ART).

    python -m tools.compare_attacks --run_dir=RUN --data_dir=DIR \\
        --pytorch_python=ENV/bin/python --output=FILE.json

The run's D is copied to PyTorch and must give the same logits there. Then PGD and FGSM are compared
with Foolbox, Auto-PGD and Square with ART: accuracy under attack, pixels, seconds. The libraries
live in an environment of their own (tools/requirements-pytorch.txt) and run in a process of their
own (tools/attack_libraries_worker.py), never at the same time as this package: they take turns,
batch by batch, so that a machine that others use treats all alike.
"""

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Sequence

from robgan_tf.cli import (
    start as command,  # its environment settings come before TensorFlow is imported
)

# isort: split
import keras
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.stages.finished import open_run
from tools.attack_comparison.cases import Case, cases
from tools.attack_comparison.libraries import Libraries
from tools.attack_comparison.measuring import compare
from tools.attack_comparison.pytorch_copy import kernels, same_logits
from tools.attack_comparison.report import DIFFERENCES, markdown, targets
from tools.attack_comparison.subject import BATCH_SIZE, in_float32, subject_of
from tools.benchmarks.machine import convolution_peaks, describe


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status.

    Args:
      argv: arguments without the command; those of the process if not given.
    """
    arguments = _arguments(argv)
    attacks = _cases(arguments)
    threads = arguments.threads
    run = in_float32(open_run(arguments.run_dir, arguments.checkpoint))
    # The advice against tracing a method for each attack is no news.
    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = run.load_classifier()
    arrays = kernels(model)
    subject, chosen = subject_of(run, model, arguments.data_dir, arguments.images)
    logits = subject.logits()
    record = {
        "model": run.identity,
        "checkpoint_step": run.step,
        "chosen": chosen,
        "images": len(subject.labels),
        "epsilon": arguments.epsilon,
        "batch_size": BATCH_SIZE,
        "clean_accuracy": float((logits.argmax(axis=1) == subject.labels).mean()),
        "load_average": {"before": os.getloadavg()},
    }
    rows = []
    with Libraries(
        arguments.pytorch_python, arrays, subject.images, subject.labels, threads
    ) as libraries:
        record["versions"] = {**_versions(), **libraries.versions}
        record["largest_logit_difference"] = same_logits(logits, libraries.logits)
        for case in attacks:
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            rows += compare(case, subject, libraries, arguments.epsilon)
    record["load_average"]["after"] = os.getloadavg()
    record["machine"] = {
        **describe(),
        "threads": threads,
        "peak_gigaflops_per_second": convolution_peaks()["float32"] / 1e9,
    }
    record |= {"rows": rows, "targets": targets(rows), "differences": DIFFERENCES}
    print(markdown(record))
    if arguments.output:
        write_atomically(arguments.output, json.dumps(record, indent=1) + "\n")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    # An error is one line without it.
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], usage=argparse.SUPPRESS)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--checkpoint", default="last", help="last, best or a step that was kept")
    parser.add_argument("--data_dir", default=os.environ.get("TFDS_DATA_DIR"))
    parser.add_argument("--pytorch_python", required=True, help="with torch, foolbox and ART")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epsilon", type=float, default=0.04, help="on images in [-1, 1]")
    parser.add_argument("--auto_pgd_steps", type=int, default=100)
    parser.add_argument("--queries", type=int, default=500, help="of Square")
    parser.add_argument(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="of both sides; 1 where others use the machine: PyTorch's threads wait for each other",
    )
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write")
    arguments = parser.parse_args(argv)
    if not arguments.epsilon > 0.0:
        raise UserError(f"--epsilon={arguments.epsilon:g}: give a radius above 0")
    for name in ("auto_pgd_steps", "queries", "threads"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name}={getattr(arguments, name)}: give at least 1")
    # Not found out after the attacks.
    if arguments.output and not arguments.output.parent.is_dir():
        raise UserError(f"--output={arguments.output}: there is no such directory")
    return arguments


def _cases(arguments: argparse.Namespace) -> list[Case]:
    try:
        return cases(arguments.epsilon, arguments.auto_pgd_steps, arguments.queries)
    except ValueError as error:
        raise UserError(str(error)) from error


def _versions() -> dict[str, str]:
    return {"tensorflow": tf.__version__, "keras": keras.__version__}


if __name__ == "__main__":
    sys.exit(command.finish(main))
