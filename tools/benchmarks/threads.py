"""A step with all cores on each operation and with one, each in a process of its own.

TensorFlow's threads are set once in a process. Run as a module this file is such a process: it
makes a step for each line on its standard input and prints the seconds.
"""

import contextlib
import json
import sys
import time

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported

# isort: split
from robgan_tf.config.groups import ONE_PER_OPERATION, TENSORFLOW_THREADS
from robgan_tf.training.threads import set_threads
from robgan_tf.typing import JsonObject
from tools.benchmarks import models
from tools.benchmarks.options import Options
from tools.benchmarks.timing import Variant, interleave, summarize
from tools.benchmarks.worker_process import WorkerProcess

WAYS = {TENSORFLOW_THREADS: "all cores", ONE_PER_OPERATION: "one core"}
SMALL = ("gin/cifar10_small.gin", "gin/baselines/without_spectral_normalization.gin")
TRAINED = "gin/finetune/adversarial_training.gin"
GENERATOR, DISCRIMINATOR = "ResNetGenerator.base_width=16", "ResNetDiscriminator.base_width=16"
JOINT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "quickstart": (("gin/quickstart.gin",), ()),
    "cifar10_small without spectral normalization": (SMALL, ()),
    "cifar10, width 16": (("gin/cifar10.gin",), (GENERATOR, DISCRIMINATOR)),
}
CLASSIFIER: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "adversarial training of the small D, batch 32": (
        (*SMALL, TRAINED, "gin/experiments/small_classifier.gin"),
        (),
    ),
    "adversarial training, width 16": (("gin/cifar10.gin", TRAINED), (DISCRIMINATOR,)),
}


def measure(options: Options) -> JsonObject:
    """Times every step in both ways, the ways in turns; speeds are relative to all cores.

    Args:
      options: of the command.
    """
    rows = []
    for name in (*JOINT, *CLASSIFIER):
        for precision in ("float32", "bfloat16"):
            with contextlib.ExitStack() as stack:
                variants = [_elsewhere(name, precision, way, stack) for way in WAYS]
                rows += summarize(variants, interleave(variants, options.rounds), peaks={})
    return {"rows": rows}


def _elsewhere(name: str, precision: str, way: str, stack: contextlib.ExitStack) -> Variant:
    process = WorkerProcess(sys.executable, ["-m", __name__, name, precision, way], "TensorFlow")
    stack.callback(process.close)
    images = int(process.answer()["images"])
    return Variant(
        f"{name}, {precision}, {WAYS[way]}", lambda: process.ask("step")["seconds"], images
    )


def _here(name: str, precision: str) -> Variant:
    if name in CLASSIFIER:
        files, bindings = CLASSIFIER[name]
        bindings = (*bindings, f"finetune.precision='{precision}'")
        return models.classifier_step(name, files, bindings)
    files, bindings = JOINT[name]
    return models.training_step(name, files, [*bindings, f"train.precision='{precision}'"])


def main() -> int:
    """The process of one way; returns its exit status."""
    name, precision, way = sys.argv[1:]
    set_threads(way)
    variant = _here(name, precision)
    for _ in range(3):
        variant.run()
    print(json.dumps({"images": variant.images}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        variant.run()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
