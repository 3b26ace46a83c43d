"""Training steps against PyTorch: the same step in every form, checked and then timed."""

import contextlib
import os
from collections.abc import Callable, Sequence

from robgan_tf.errors import UserError
from robgan_tf.processor import bfloat16_instructions
from robgan_tf.typing import JsonObject
from tools.benchmarks import models, pytorch_tasks
from tools.benchmarks.options import Options
from tools.benchmarks.profile import pytorch_profile
from tools.benchmarks.pytorch_step import PyTorchStep, Task, check_first_losses
from tools.benchmarks.table import timed
from tools.benchmarks.timing import Variant

# Forms of PyTorch (tools/pytorch_training/form.py) by precision. bfloat16 only where the
# processor has instructions for it: elsewhere PyTorch takes minutes a step.
FORMS = {"float32": ("as_written", "guides", "rewrites"), "bfloat16": ("guides", "rewrites")}
# Losses after an update too, so that the optimizer is compared. Adam moves a weight by the learning
# rate whatever its gradient is, so that rounding moves weights that hardly matter: by little here.
SMALL_RATE = "classifier_optimizer.learning_rate = 2e-4"
SMALL_RATES = (
    "generator_optimizer.learning_rate = 5e-5",
    "discriminator_optimizer.learning_rate = 5e-5",
)


def joint_training(gin_file: str, bindings: Sequence[str], options: Options) -> JsonObject:
    """Measures a step of joint training.

    Args:
      gin_file: configuration.
      bindings: over it.
      options: of the command.
    """
    return _compare(
        _interpreter(options),
        pytorch_tasks.joint_task(
            gin_file, [*bindings, "train.discriminator_updates=1", *SMALL_RATES]
        ),
        pytorch_tasks.joint_task(gin_file, bindings),
        lambda precision: models.training_step(
            f"robgan_tf, {precision}",
            gin_file,
            [*bindings, f"train.precision='{precision}'"],
        ),
        options,
    )


def joint_profiles(gin_file: str, bindings: Sequence[str], python: str) -> dict[str, JsonObject]:
    """Where the time of a step of joint training goes in PyTorch by its guides, by name.

    Args:
      gin_file: configuration.
      bindings: over it.
      python: interpreter of an environment with torch.
    """
    task = pytorch_tasks.joint_task(gin_file, bindings)
    found = {}
    for precision in FORMS if bfloat16_instructions() else ("float32",):
        process = PyTorchStep(python, task, "guides", precision, len(os.sched_getaffinity(0)))
        with contextlib.closing(process):
            # The first profile of a process sets the profiler up.
            for _ in range(2):
                profile = process.profile()
        found[f"PyTorch, guides, {precision}"] = pytorch_profile(profile)
    return found


def adversarial_training(
    gin_files: Sequence[str], bindings: Sequence[str], options: Options
) -> JsonObject:
    """Measures an update of the classifier on real images.

    Args:
      gin_files: configuration of stage 2, laid over each other.
      bindings: over it.
      options: of the command.
    """
    return _compare(
        _interpreter(options),
        pytorch_tasks.classifier_task(gin_files, [*bindings, SMALL_RATE], updates=2),
        pytorch_tasks.classifier_task(gin_files, bindings),
        lambda precision: models.classifier_step(
            f"robgan_tf, {precision}",
            gin_files,
            [*bindings, f"finetune.precision='{precision}'"],
        ),
        options,
    )


def _interpreter(options: Options) -> str:
    if not options.pytorch_python:
        raise UserError("this case needs --pytorch_python, an environment with torch")
    return options.pytorch_python


def _compare(
    python: str, checked: Task, task: Task, ours: Callable[[str], Variant], options: Options
) -> JsonObject:
    """Compares first losses of a short task, then times the whole one and ours by precision."""
    differences = {form: check_first_losses(python, checked, form) for form in FORMS["float32"]}
    more: JsonObject = {"largest_difference_of_first_losses": differences}
    precisions = list(FORMS)
    if not bfloat16_instructions():
        precisions.remove("bfloat16")
        more["left_out"] = "bfloat16, for which this processor has no instructions"
    threads = len(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        variants = []
        for precision in precisions:
            for form in FORMS[precision]:
                process = PyTorchStep(python, task, form, precision, threads)
                stack.callback(process.close)
                variants.append(process.variant(f"PyTorch, {form.replace('_', ' ')}, {precision}"))
                more["pytorch"] = process.versions
        variants += map(ours, precisions)
        return {**timed(variants, options), **more}
