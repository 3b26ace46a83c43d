"""A section on the training step: first losses, whether it repeats itself, speed and memory."""

import hashlib
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.stages.build_joint import build_adversary, build_players, build_step
from robgan_tf.training.distribution import make_strategy
from tools.accelerator import reference
from tools.accelerator.options import Options
from tools.benchmarks.arithmetic import training_step_flops
from tools.benchmarks.models import discriminator_flops, generator_flops, random_batches

GIN_FILE = "gin/cifar10.gin"


class TrainingStep:
    """The step of gin/cifar10.gin on the same images everywhere, to be run from its start again.

    Args:
      base_width: of both networks.
      precision: "float32" (TF32 or not is TensorFlow's own switch) or "bfloat16".
      jit_compile: whether XLA compiles the whole step.
      more_bindings: of gin, over the others.
    """

    def __init__(
        self,
        base_width: int,
        precision: str = "float32",
        jit_compile: bool = False,
        more_bindings: Sequence[str] = (),
    ):
        chosen = [*bindings(base_width, precision), *more_bindings]
        config = read_config(JointConfig, [GIN_FILE], chosen)
        strategy = make_strategy("single_device")
        adversary = build_adversary(config)
        self._players = build_players(config, strategy, adversary.replays)
        self._step = build_step(config, self._players, adversary, strategy)
        if jit_compile:
            self._step._compiled = tf.function(
                self._step._distributed_step, autograph=False, jit_compile=True
            )
        self._config = config
        train = config.train
        self.images = train.discriminator_updates * train.batch_size
        self._batch = random_batches(config.data, train)
        self._variables = [v for part in vars(self._players).values() for v in part.variables]
        self._start = [tf.identity(variable.value) for variable in self._variables]

    def rewind(self) -> None:
        """Gives every variable of models and optimizers its first value again."""
        for variable, value in zip(self._variables, self._start, strict=True):
            variable.assign(value)

    def run(self, number: int) -> dict:
        """Makes a step and waits for it; returns its losses."""
        values = self._step(*self._batch, tf.constant(number, tf.int64))
        return {name: float(value) for name, value in values.items()}

    def digest(self) -> str:
        """Of the bits of all variables."""
        sha = hashlib.sha256()
        for variable in self._variables:
            sha.update(variable.value.numpy().tobytes())
        return sha.hexdigest()

    def flops(self) -> float:
        """Floating-point operations of the convolutions of a step (multiply-add = 2)."""
        train = self._config.train
        return training_step_flops(
            generator_flops(self._players.generator),
            discriminator_flops(self._players.discriminator),
            train.discriminator_updates,
            train.batch_size,
            self._config.attack.steps,
        )


def bindings(base_width: int, precision: str = "float32") -> list[str]:
    """Gin bindings of a width and a precision."""
    return [
        f"ResNetGenerator.base_width={base_width}",
        f"ResNetDiscriminator.base_width={base_width}",
        f"train.precision='{precision}'",
    ]


def identity(base_width: int) -> dict:
    """What a reference file is of."""
    return {"gin_file": GIN_FILE, "base_width": base_width, "steps": reference.STEPS}


def first_losses(step: TrainingStep) -> list[dict]:
    """Losses of the first steps."""
    return [step.run(number) for number in range(1, reference.STEPS + 1)]


def measure(
    options: Options,
    precision: str,
    *,
    jit_compile: bool = False,
    tolerance: str | None = None,
) -> dict:
    """Builds the step, makes the first steps twice, and times it.

    Args:
      options: the check's `Options`.
      precision: of the step.
      jit_compile: as in `TrainingStep`.
      tolerance: key of `reference.TOLERANCES`; the precision if left out.

    Returns:
      Dict of what was found.
    """
    reset_peak_memory()
    start = time.perf_counter()
    step = TrainingStep(options.base_width, precision, jit_compile)
    built = time.perf_counter()
    step.run(1)
    first_call = time.perf_counter() - built
    step.rewind()
    losses, digests = [], []
    for _ in range(2):
        losses.append(first_losses(step))
        digests.append(step.digest())
        step.rewind()
    seconds = timed(lambda: step.run(1), options.seconds_per_timing)
    median = statistics.median(seconds)
    result = {
        "build_seconds": built - start,
        "first_call_seconds": first_call,
        "seconds_per_step": median,
        "seconds_range": [min(seconds), max(seconds)],
        "steps_timed": len(seconds),
        "real_images_per_second": step.images / median,
        "teraflops_per_second": step.flops() / median / 1e12,
        "peak_memory_gib": peak_memory_gib(),
        "two_runs_bit_equal": digests[0] == digests[1],
        "largest_difference_of_two_runs": max(
            abs(first[name] - second[name])
            for first, second in zip(*losses, strict=True)
            for name in first
        ),
        "first_losses": losses[0],
    }
    if options.reference:
        expected = reference.read(options.reference, identity(options.base_width))
        result["against_cpu"] = reference.compare(expected, losses[0], tolerance or precision)
    return result


def timed(
    run: Callable[[], object], at_least: float, fewest: int = 3, most: int = 200
) -> list[float]:
    """Seconds of each of several calls of a function that waits for its result."""
    run()
    seconds: list[float] = []
    while len(seconds) < fewest or (sum(seconds) < at_least and len(seconds) < most):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def reset_peak_memory() -> None:
    """Starts the count of a GPU's peak memory anew; a CPU's is that of the process."""
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.reset_memory_stats("GPU:0")


def peak_memory_gib() -> float:
    """Most memory taken: by TensorFlow on the first GPU, or by the process where there is none."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
