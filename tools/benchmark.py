"""Measures speed.

    python -m tools.benchmark --data_dir=DIR --output=benchmark.json

Each case runs in a process of its own, its variants interleaved in random order. Prints Markdown
tables; ratios are medians of ratios within a round and mean little outside the machine they come
from. Never run by a test: a noisy machine must not fail one.

    --cases=training_step_16,attack_steps   some of the cases (--list names them)
    --pytorch_python=ENV/bin/python         an environment with torch and foolbox, for the peers
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from robgan_tf.cli import (
    start as command,  # its environment settings come before TensorFlow is imported
)
from robgan_tf.typing import JsonObject

# isort: split
import tensorflow as tf
from absl import app, flags

from robgan_tf.errors import UserError
from tools.benchmarks.cases import CASES
from tools.benchmarks.machine import describe
from tools.benchmarks.options import Options
from tools.benchmarks.report import markdown

_CASES = flags.DEFINE_list("cases", list(CASES), "Which cases to run.")
_LIST = flags.DEFINE_bool("list", False, "Name the cases and exit.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "How often each variant is timed.", lower_bound=1)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where CIFAR-10 is, or ImageNet-143, for cases that read it."
)
_PYTORCH = flags.DEFINE_string(
    "pytorch_python", None, "Interpreter of an environment with torch and foolbox."
)
_FEATURES = flags.DEFINE_string(
    "feature_weights",
    None,
    "Weights of EfficientNet-Lite0 (tools/quality_peer), for the case of image quality.",
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "JSON file of results; cases measured again replace those in it."
)
_ALONE = flags.DEFINE_bool(
    "alone", False, "For the benchmark's own use: one case, in this process."
)


def main() -> int:
    """Runs the command; returns its exit status."""
    if _LIST.value:
        for name, case in CASES.items():
            print(f"{name:<18} {case.__doc__}")
        return 0
    for name in _CASES.value:
        if name not in CASES:
            raise UserError(f"--cases: {name!r} does not exist; choose from {', '.join(CASES)}")
    if _ALONE.value:
        (name,) = _CASES.value
        # Each variant traces the same methods once: nothing to warn of.
        tf.get_logger().setLevel("ERROR")
        pathlib.Path(str(_OUTPUT.value)).write_text(json.dumps(CASES[name](_options())))
        return 0
    if not _CASES.value:
        raise UserError("--cases is empty; leave it out for all of them")
    results = _previous()
    for name in _CASES.value:
        result = _in_its_own_process(name)
        if result is None:
            return command.USER_ERROR_STATUS
        conditions = {"rounds": _ROUNDS.value, "machine": describe(), "revision": _revision()}
        results["cases"][name] = {**conditions, **result}
        print(markdown(name, CASES[name].__doc__ or "", results["cases"][name]), flush=True)
        if _OUTPUT.value:
            pathlib.Path(_OUTPUT.value).write_text(json.dumps(results, indent=1) + "\n")
    return 0


def _options() -> Options:
    data_dir = _DATA_DIR.value or os.environ.get("TFDS_DATA_DIR")
    return Options(_ROUNDS.value, data_dir, _PYTORCH.value, _FEATURES.value)


def _previous() -> JsonObject:
    """Results to be added to. Checked before anything is measured."""
    if not _OUTPUT.value:
        return {"cases": {}}
    path = pathlib.Path(_OUTPUT.value)
    if not path.parent.is_dir():
        raise UserError(f"--output={path}: the directory {path.parent} does not exist")
    if not path.exists():
        return {"cases": {}}
    try:
        results = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"--output={path} exists and is not JSON: {error}") from error
    if not isinstance(results, dict) or not isinstance(results.get("cases"), dict):
        raise UserError(f"--output={path} exists and holds no results of this benchmark")
    return results


def _in_its_own_process(name: str) -> Any:
    """Runs one case; None if it ended with an error, which it has printed itself."""
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "result.json"
        alone = [f"--cases={name}", "--alone", f"--output={output}"]
        process = subprocess.run([sys.executable, "-m", "tools.benchmark", *sys.argv[1:], *alone])
        return json.loads(output.read_text()) if process.returncode == 0 else None


def _revision() -> str | None:
    """The commit that was measured, with "+" where files differed from it; None without git."""
    commands = (["git", "rev-parse", "--short", "HEAD"], ["git", "status", "--porcelain", "-uno"])
    try:
        commit, changes = (
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changes else "")


if __name__ == "__main__":
    app.run(lambda _: command.finish(main))
