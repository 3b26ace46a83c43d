"""Latency and size of exported models, against the same Keras models called in this process.

    python -m tools.benchmark_serving --run_dir=runs/quickstart --export_dir=exports

calls the obvious signature of each exported model through TensorFlow's C++ loader (tools/serving_c,
in a process without TensorFlow's Python), through Python's loader, and the Keras model itself,
eagerly and compiled, taking turns in random order; prints Markdown and, with --output, writes JSON.
"""

import argparse
import contextlib
import json
import pathlib
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported

# isort: split
import numpy as np
import tensorflow as tf

from robgan_tf.reporting.markdown import table
from robgan_tf.serving.check import LocalModel, exported_models
from robgan_tf.serving.examples import example_inputs
from robgan_tf.serving.versions import versions
from robgan_tf.stages.finished import FinishedRun, best_or_last, open_run
from robgan_tf.typing import JsonObject
from tools.benchmarks.machine import describe

BATCHES = (1, 64)
BASELINE = "Keras, compiled"


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--export_dir", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    run = open_run(arguments.run_dir, best_or_last(arguments.run_dir))
    rows, sizes = [], []
    for model in exported_models(arguments.export_dir):
        path = arguments.export_dir / model.name
        path /= str(versions(path)[-1])
        sizes.append(_size(path, model))
        for batch in BATCHES:
            rows += _measure(path, model, run, batch, arguments.rounds)
    print(_table(rows), _size_table(sizes), sep="\n")
    if arguments.output:
        record = {"machine": describe(), "rows": rows, "sizes": sizes}
        arguments.output.write_text(json.dumps(record, indent=1) + "\n")


def _measure(
    path: pathlib.Path, model: LocalModel, run: FinishedRun, batch: int, rounds: int
) -> list[JsonObject]:
    """Milliseconds an image of each way to call the first signature: p50, p99, ratio."""
    signature = next(iter(model.card["signatures"]))
    inputs = example_inputs(model.card, signature, batch)
    ways: dict[str, Callable[[], Any]] = {
        "SavedModel, Python": lambda: model.predict(signature, inputs),
        **_keras(model.name, run, inputs),
    }
    with _c_process(path, signature, inputs) as in_c:
        ways["SavedModel, C++ loader"] = in_c
        seconds = _interleaved(ways, rounds)
    medians = {name: np.median(values) for name, values in seconds.items()}
    return [
        {
            "model": model.name,
            "batch": batch,
            "way": name,
            "p50_ms_per_image": 1e3 * float(np.median(values)) / batch,
            "p99_ms_per_image": 1e3 * float(np.percentile(values, 99)) / batch,
            "ratio": float(medians[name] / medians[BASELINE]),
        }
        for name, values in seconds.items()
    ]


def _keras(
    name: str, run: FinishedRun, inputs: Mapping[str, np.ndarray]
) -> dict[str, Callable[[], Any]]:
    if name == "generator":
        generator = run.load_generator("float32")
        labels = tf.constant(inputs["labels"], tf.int32)
        call = lambda: generator(inputs["latents"], labels, training=False)  # noqa: E731
    else:
        classifier = run.load_classifier("float32")
        call = lambda: classifier(inputs["images"], training=False)  # noqa: E731
    compiled = tf.function(call, autograph=False)
    return {
        "Keras, eager": lambda: tf.nest.map_structure(np.asarray, call()),
        BASELINE: lambda: tf.nest.map_structure(np.asarray, compiled()),
    }


def _interleaved(ways: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    for call in ways.values():
        for _ in range(5):
            call()
    draws = random.Random(0)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in draws.sample(sorted(ways), len(ways)):
            start = time.perf_counter()
            elapsed = ways[name]()
            # The other process times itself: what is asked is not the way to it.
            of_other = elapsed if isinstance(elapsed, float) else time.perf_counter() - start
            seconds[name].append(of_other)
    return seconds


@contextlib.contextmanager
def _c_process(
    path: pathlib.Path, signature: str, inputs: Mapping[str, np.ndarray]
) -> Iterator[Callable[[], float]]:
    """A process that runs the signature in the C++ loader and answers with the seconds it took."""
    program = (
        "import sys, time, pickle\n"
        "from tools.serving_c.c_loader import LoadedModel\n"
        "path, signature = sys.argv[1:]\n"
        "inputs = pickle.load(sys.stdin.buffer)\n"
        "with LoadedModel(path) as model:\n"
        "    for _ in sys.stdin.buffer:\n"
        "        start = time.perf_counter()\n"
        "        model.run(signature, inputs)\n"
        "        print(time.perf_counter() - start, flush=True)\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path), signature],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None, "both are pipes"
    stdin.write(pickle.dumps(inputs))

    def call() -> float:
        stdin.write(b"\n")
        stdin.flush()
        return float(stdout.readline())

    yield call
    stdin.close()
    if process.wait():
        raise RuntimeError("the process with the C++ loader failed")


def _size(path: pathlib.Path, model: LocalModel) -> JsonObject:
    files = [file for file in path.rglob("*") if file.is_file()]
    return {
        "model": model.name,
        "parameters": model.card["parameters"],
        "variables_bytes": sum(x.stat().st_size for x in files if "variables.data" in x.name),
        "all_bytes": sum(file.stat().st_size for file in files),
    }


def _table(rows: Sequence[JsonObject]) -> str:
    header = ["model", "batch", "way", "p50, ms an image", "p99", "ratio of p50"]
    cells = []
    for row in rows:
        p50, p99 = (f"{row[f'{name}_ms_per_image']:.3f}" for name in ("p50", "p99"))
        cells.append([row["model"], str(row["batch"]), row["way"], p50, p99, f"{row['ratio']:.2f}"])
    return "\n".join([*table(header, cells), ""])


def _size_table(sizes: Sequence[JsonObject]) -> str:
    rows = []
    for size in sizes:
        parameters, *written = size["parameters"], size["variables_bytes"], size["all_bytes"]
        rows.append([size["model"], *(f"{n:,}" for n in (parameters, 4 * parameters, *written))])
    header = ["model", "parameters", "4 bytes each", "variables", "whole export"]
    return "\n".join([*table(header, rows), ""])


if __name__ == "__main__":
    main()
