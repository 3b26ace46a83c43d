"""Whole processes: how long until training starts, and the most memory it takes."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from robgan_tf.errors import UserError

# Beginnings of what the command prints when all is built and loaded, and within its first record.
FIRST_CALL, FIRST_STEP = "Training ", "step 1/"


def start_up(gin_file: str, data_dir: str) -> dict[str, float]:
    """Starts the train command and waits for its first step.

    Returns:
      Seconds from the start of the process to its first compiled call and to the end of its first
      step, which is recorded.
    """
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        process = _train(gin_file, data_dir, folder, ["train.log_every=1"])
        for line in process.stdout:
            if line.startswith(FIRST_CALL):
                seconds["to_first_compiled_call"] = time.perf_counter() - start
            if FIRST_STEP in line:
                seconds["to_first_finished_step"] = time.perf_counter() - start
                break
        else:
            raise UserError(_failure(process.stderr.read()))
        process.kill()
        process.communicate()
    return seconds


def peak_memory(
    gin_file: str, data_dir: str, bindings: Sequence[str] = (), steps: int = 2
) -> dict[str, float]:
    """Runs a short training: logging, pictures and a checkpoint included, no evaluation.

    Returns:
      Dict with the peak resident memory in GiB, and seconds of the whole command.
    """
    bindings = [*bindings, f"train.steps={steps}", "train.log_every=1", "final_evaluation.images=0"]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        process = _train(gin_file, data_dir, folder, bindings)
        process.stdout.read()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise UserError(_failure(errors))
        return {
            "peak_memory_gib": usage.ru_maxrss / 2**20,
            "seconds": time.perf_counter() - start,
        }


def _train(gin_file: str, data_dir: str, folder: str, bindings: Sequence[str]) -> Any:
    command = [sys.executable, "-m", "robgan_tf.train", f"--gin_file={gin_file}"]
    command += [f"--data_dir={data_dir}", f"--run_dir={folder}/run"]
    command += [f"--gin_param={binding}" for binding in bindings]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def _failure(errors: str) -> str:
    lines = errors.strip().splitlines()
    return f"the train command failed: {lines[-1] if lines else 'it printed nothing'}"
