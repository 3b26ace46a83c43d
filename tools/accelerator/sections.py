"""The sections of the check: functions of the options that return a dict, in groups.

The sections of a group share a process, and with it TensorFlow's switches.
"""

import dataclasses
import functools
import itertools
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import load_image_data
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses import class_loss
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator
from robgan_tf.quality.extractors import PIXELS, FeatureExtractor, open_extractor
from robgan_tf.quality.generated_set import GeneratedSet
from robgan_tf.reporting import read_metrics
from robgan_tf.runs.directory import DATA_FOUND
from robgan_tf.stages.joint import JointStage, joint_batches
from tools.accelerator import training_step
from tools.accelerator.options import Options
from tools.accelerator.training_step import GIN_FILE, peak_memory_gib, reset_peak_memory, timed
from tools.benchmarks.arithmetic import attack_flops
from tools.benchmarks.machine import convolution_peaks, describe
from tools.benchmarks.models import attack_inputs, discriminator_flops

ATTACK_STEPS, EPSILON = 20, 0.04
PARTS = {
    "no random start": ("ProjectedGradientDescent.random_start=False",),
    "no attack": ("ProjectedGradientDescent.steps=0",),
    "1 power iteration": ("ResNetDiscriminator.power_iterations=1",),
}
_LIBRARIES = re.compile(r"lib(?:cuda|cudart|cublas|cublasLt|cudnn|nvJitLink|cusolver)\.so[.\d]*$")


def devices(options: Options) -> dict:
    """What the machine is, and which versions and libraries are in use."""
    gpus = tf.config.list_physical_devices("GPU")
    tf.linalg.matmul(tf.ones([8, 8]), tf.ones([8, 8])).numpy()
    found = {**describe(), "keras": keras.__version__, "numpy": np.__version__}
    found["devices"] = [
        {"name": gpu.name, **_plain(tf.config.experimental.get_device_details(gpu))} for gpu in gpus
    ] or ["CPU only"]
    build = tf.sysconfig.get_build_info()
    found["built_for"] = {
        name: build.get(name)
        for name in ("cuda_version", "cudnn_version", "cuda_compute_capabilities")
    }
    found["nvidia_smi"] = _nvidia_smi()
    return found


def peaks(options: Options) -> dict:
    """Best rate of a 3x3 convolution like those of the networks, by precision."""
    rates = convolution_peaks(repeats=20)
    return {
        "teraflops_per_second": {name: rate / 1e12 for name, rate in rates.items()},
        "libraries": _loaded_libraries(),
    }


def step_float32(options: Options) -> dict:
    """The training step in float32, TF32 off."""
    return training_step.measure(options, "float32")


def step_tf32(options: Options) -> dict:
    """The same with TF32, TensorFlow's default on GPUs that have it."""
    return training_step.measure(options, "float32", tolerance="tf32")


def step_bfloat16(options: Options) -> dict:
    """The same with train.precision = 'bfloat16'."""
    return training_step.measure(options, "bfloat16")


def step_jit(options: Options) -> dict:
    """TF32, the whole step compiled by XLA."""
    return training_step.measure(options, "float32", tolerance="tf32", jit_compile=True)


def step_jit_bfloat16(options: Options) -> dict:
    """bfloat16, the whole step compiled by XLA."""
    return training_step.measure(options, "bfloat16", jit_compile=True)


def step_deterministic(options: Options) -> dict:
    """TF32 with tf.config.experimental.enable_op_determinism."""
    return training_step.measure(options, "float32", tolerance="tf32")


def step_deterministic_bfloat16(options: Options) -> dict:
    """bfloat16 with tf.config.experimental.enable_op_determinism."""
    return training_step.measure(options, "bfloat16")


def step_parts(options: Options) -> dict:
    """Seconds of the training step, TF32, with something of it left out."""
    result = {}
    for name, changes in PARTS.items():
        step = training_step.TrainingStep(options.base_width, more_bindings=changes)
        seconds = timed(functools.partial(step.run, 1), options.seconds_per_timing / 2)
        result[name] = statistics.median(seconds)
    return result


def attack_float32(options: Options) -> dict:
    """PGD-20 on the class head in float32, TF32 off."""
    return _attacks(options, "float32")


def attack_tf32(options: Options) -> dict:
    """The same with TF32."""
    return _attacks(options, "float32")


def attack_bfloat16(options: Options) -> dict:
    """The same in bfloat16."""
    return _attacks(options, "bfloat16")


def attack_jit(options: Options) -> dict:
    """PGD-20 with TF32, compiled by XLA."""
    return _attacks(options, "float32", jit_compile=True)


def attack_jit_bfloat16(options: Options) -> dict:
    """PGD-20 in bfloat16, compiled by XLA."""
    return _attacks(options, "bfloat16", jit_compile=True)


def training(options: Options) -> dict:
    """Real steps of gin/cifar10.gin through the train command's own run, TF32."""
    config = read_config(JointConfig, [GIN_FILE], _run_bindings(options))
    reset_peak_memory()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = pathlib.Path(folder) / "run"
        JointStage(config, str(run_dir), options.data_dir).train()
        seconds = time.perf_counter() - start
        records = read_metrics(run_dir / "metrics.jsonl")
        data = json.loads((run_dir / "config.json").read_text())[DATA_FOUND]
    last = records[-1]
    return {
        "steps": options.steps,
        "data": data,
        "seconds_in_all": seconds,
        "training_seconds_without_first_step": last["time/training_seconds"],
        "real_images_per_second": last.get("speed/images_per_second"),
        "peak_memory_gib": peak_memory_gib(),
        "first_record": records[0],
        "last_record": last,
    }


def input_pipeline(options: Options) -> dict:
    """Training batches alone, without a model."""
    config = read_config(JointConfig, [GIN_FILE], _run_bindings(options))
    data = load_image_data(**config.data.loading(options.data_dir))
    batches = iter(joint_batches(config, data.train))

    def ten_steps() -> None:
        for batch in itertools.islice(batches, 10):
            batch["images"].numpy()

    seconds = timed(ten_steps, options.seconds_per_timing)
    images = 10 * config.train.batch_size * config.train.discriminator_updates
    return {"images_per_second": images / statistics.median(seconds)}


def quality(options: Options) -> dict:
    """Images a second: generated as `evaluate quality` does, and turned into features."""
    reset_peak_memory()
    generator = ResNetGenerator(32, 3, 10, base_width=options.base_width)
    generator.build()
    make = GeneratedSet(generator)
    list(make(100, 0))
    start = time.perf_counter()
    images = np.concatenate([batch for batch, _ in make(options.images, 1)])
    result: dict[str, Any] = {
        "images": options.images,
        "generated_per_second": options.images / (time.perf_counter() - start),
    }
    result["pixel_features_per_second"] = _extracted(open_extractor(PIXELS, 32, 3), images)
    if options.with_inception:
        with tempfile.TemporaryDirectory() as folder:
            weights = pathlib.Path(folder) / "random.weights.h5"
            keras.applications.InceptionV3(weights=None).save_weights(weights)
            extractor = open_extractor(f"keras_inceptionv3:{weights}", 32, 3)
        result["inception_features_per_second"] = _extracted(extractor, images)
        result["inception"] = "keras.applications.InceptionV3 at 299 pixels, random weights"
    return {**result, "peak_memory_gib": peak_memory_gib()}


@dataclasses.dataclass(frozen=True)
class Group:
    """Sections that run in one process.

    Attributes:
      prepare: sets TensorFlow's switches at the start of the process.
      sections: in order.
    """

    prepare: Callable[[], None]
    sections: tuple[Callable[[Options], dict], ...]


def _tf32(enabled: bool) -> Callable[[], None]:
    return lambda: tf.config.experimental.enable_tensor_float_32_execution(enabled)


# In the order of what should not be missing where time is short; XLA may compile for minutes.
GROUPS = {
    "float32": Group(_tf32(False), (devices, step_float32, attack_float32)),
    "tf32": Group(
        _tf32(True),
        (peaks, step_tf32, step_bfloat16, attack_tf32, attack_bfloat16, training, input_pipeline),
    ),
    "deterministic": Group(
        tf.config.experimental.enable_op_determinism,
        (step_deterministic, step_deterministic_bfloat16),
    ),
    "more": Group(_tf32(True), (quality, step_parts)),
    "jit": Group(_tf32(True), (attack_jit, attack_jit_bfloat16, step_jit, step_jit_bfloat16)),
}
SECTIONS = {section.__name__: section for group in GROUPS.values() for section in group.sections}
SLOW_ON_CPU = ("peaks", "step_parts", "step_jit", "step_jit_bfloat16")


def _attacks(options: Options, precision: str, jit_compile: bool = False) -> dict:
    reset_peak_memory()
    model = ResNetDiscriminator(32, 3, 10, base_width=options.base_width, precision=precision)
    model.build()
    pgd = ProjectedGradientDescent(EPSILON, ATTACK_STEPS, EPSILON / 5)

    @tf.function(autograph=False, jit_compile=jit_compile)
    def attack(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with hold_normalized_kernels(model):
            return pgd(lambda x: class_loss(model(x, training=False)[1], labels), images)

    def run(images: tf.Tensor, labels: tf.Tensor) -> None:
        attack(images, labels).numpy()

    result: dict[str, Any] = {"steps": ATTACK_STEPS}
    flops = ATTACK_STEPS * attack_flops(discriminator_flops(model))
    for batch in options.attack_batches:
        images, labels = attack_inputs(batch)
        seconds = timed(
            functools.partial(run, images, labels),
            options.seconds_per_timing / 2,
        )
        median = statistics.median(seconds)
        result[f"batch_{batch}"] = {
            "images_per_second": batch / median,
            "seconds": median,
            "teraflops_per_second": batch * flops / median / 1e12,
        }
    return {**result, "peak_memory_gib": peak_memory_gib()}


def _run_bindings(options: Options) -> list[str]:
    changes = [f"train.steps={options.steps}", "train.log_every=20"]
    if not options.data_dir:
        changes += ["data.dataset='digits'", "data.channels=1", "data.validation_examples=100"]
        changes += ["final_evaluation.images=100"]
    return [*training_step.bindings(options.base_width), *changes]


def _extracted(extractor: FeatureExtractor, images: np.ndarray) -> float:
    extractor(images[:100])
    start = time.perf_counter()
    extractor(images)
    return len(images) / (time.perf_counter() - start)


def _plain(details: dict) -> dict:
    """What JSON can hold of a dict."""
    return {
        name: list(value) if isinstance(value, tuple) else str(value)
        for name, value in details.items()
    }


def _nvidia_smi() -> str | None:
    fields = "name,driver_version,memory.total"
    try:
        return subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _loaded_libraries() -> list[str]:
    """File names of the CUDA libraries that this process has loaded."""
    maps = pathlib.Path("/proc/self/maps")
    if not maps.exists():
        return []
    names = {line.rpartition("/")[2] for line in maps.read_text().splitlines()}
    return sorted(name for name in names if _LIBRARIES.match(name))
