"""A PyTorch module through the adapter: same verdicts as the same weights in Keras, at what cost?

    python -m tools.pytorch_crossing --run_dir=RUN --data_dir=DIR --output=FILE.json

The run's D is copied to PyTorch in this process. Both are attacked by the same protocol on the same
test images, and the verdicts compared. Then the gradient of a batch is computed in PyTorch alone,
by the adapter from within a compiled function of TensorFlow, and in Keras, in turns; times are
processor times, so that other work on the machine treats all alike. Needs the extra `torch`.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from robgan_tf.cli import (
    start as command,  # its environment settings come before TensorFlow is imported
)

# isort: split
import numpy as np
import tensorflow as tf
import torch

import robgan_tf
from robgan_tf.adapters.pytorch import PyTorchClassifier
from robgan_tf.data import load_image_data
from robgan_tf.data.subsets import representative_rows
from robgan_tf.files import write_atomically
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.robustness.subjects import foreign_classifier
from robgan_tf.stages.finished import open_run
from tools import pytorch_discriminator
from tools.attack_comparison.pytorch_copy import kernels

BATCH, ROUNDS = 100, 15


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], usage=argparse.SUPPRESS)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--data_dir")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--epsilon", default="8/255")
    parser.add_argument("--protocol", default="published")
    parser.add_argument("--output", type=pathlib.Path)
    given = parser.parse_args(argv)
    # One thread each: PyTorch's wait for each other where others use the machine.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    run = open_run(given.run_dir, "last")
    model = run.load_classifier()
    network = pytorch_discriminator.build(kernels(model), "as_called")
    adapter = PyTorchClassifier(network, threads=1)
    source = load_image_data(**run.config.data.loading(given.data_dir)).test
    rows, description = representative_rows(source.labels, given.images, source.ids)
    images, labels = source.fetch_scaled(rows), source.labels[rows]
    record: dict[str, Any] = {
        "model": run.identity,
        "images": description,
        "protocol": given.protocol,
        "epsilon": given.epsilon,
        "versions": {"tensorflow": tf.__version__, "torch": torch.__version__},
        "milliseconds_per_batch": _times(model, network, adapter, images[:BATCH]),
    }
    print(json.dumps(record, indent=1), flush=True)
    record |= _verdicts(model, adapter, images, labels, given)
    print(json.dumps(record, indent=1))
    if given.output:
        write_atomically(given.output, json.dumps(record, indent=1) + "\n")
    return 0


def _verdicts(
    model: Any,
    adapter: PyTorchClassifier,
    images: np.ndarray,
    labels: np.ndarray,
    given: argparse.Namespace,
) -> dict[str, Any]:
    found = {
        name: robgan_tf.robust_accuracy(
            subject, images, labels, given.epsilon, protocol=given.protocol
        )
        for name, subject in (("keras", model), ("pytorch", adapter))
    }
    one, other = found["keras"], found["pytorch"]
    return {
        "clean": {name: each.clean for name, each in found.items()},
        "robust": {name: each.robust for name, each in found.items()},
        "verdicts_that_differ": int((one.fooled_by != other.fooled_by).sum()),
        "predictions_that_differ": int((one.predictions != other.predictions).sum()),
    }


def _times(
    model: Any, network: torch.nn.Module, adapter: PyTorchClassifier, images: np.ndarray
) -> dict[str, Any]:
    """Processor time of the gradient of a batch, medians over turns."""
    upstream = np.random.default_rng(0).normal(size=[len(images), 10]).astype(np.float32)

    def compiled(logits_fn: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[], Any]:
        @tf.function(autograph=False)
        def gradient(batch: tf.Tensor) -> tf.Tensor:
            with hold_normalized_kernels(model), tf.GradientTape() as tape:
                tape.watch(batch)
                total = tf.reduce_sum(logits_fn(batch) * upstream)
            return tape.gradient(total, batch)

        batch = tf.constant(images)
        return lambda: gradient(batch).numpy()

    given = torch.from_numpy(images.transpose(0, 3, 1, 2)).contiguous(
        memory_format=torch.channels_last
    )
    factor = torch.from_numpy(upstream)

    def in_pytorch() -> Any:
        batch = given.detach().requires_grad_(True)
        (found,) = torch.autograd.grad(network(batch), batch, factor)
        return found.numpy().transpose(0, 2, 3, 1)

    calls = {
        "pytorch_alone": in_pytorch,
        "pytorch_through_the_adapter": compiled(foreign_classifier(adapter, "", "").logits),
        "keras": compiled(lambda batch: model(batch, training=False)[1]),
    }
    expected = calls["keras"]()
    largest = np.abs(expected).max()
    for call in calls.values():
        assert np.abs(call() - expected).max() < 1e-3 * largest
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append(1e3 * (time.process_time() - start))
    medians: dict[str, Any] = {name: statistics.median(each) for name, each in times.items()}
    ratios = [
        through / alone
        for alone, through in zip(
            times["pytorch_alone"], times["pytorch_through_the_adapter"], strict=True
        )
    ]
    return {
        **medians,
        "rounds": ROUNDS,
        "ratio_through_to_alone": statistics.median(ratios),
        "ratio_quartiles": statistics.quantiles(ratios, n=4)[::2],
    }


if __name__ == "__main__":
    sys.exit(command.finish(main))
