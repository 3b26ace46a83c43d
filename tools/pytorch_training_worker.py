"""Makes training steps in PyTorch, one for every line "step" or "profile" on standard input.

Started by the benchmark (tools/benchmarks/pytorch_step.py) in an environment of its own; imports
nothing of that package. Reads weights, images and the random numbers of the first step from an npz
file, prints one JSON line with its losses, then one after each further step, whose random numbers
it draws itself: its seconds, and of a profiled one those by operation.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_training.form import FORMS, Form
from pytorch_training.tasks import KINDS


def main() -> None:
    """Runs the worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=tuple(KINDS), required=True)
    parser.add_argument("--form", choices=FORMS, required=True)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--arrays", required=True)
    parser.add_argument("--settings", required=True, help="JSON object of numbers")
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with np.load(arguments.arrays) as file:
        arrays = dict(file)
    form = Form(arguments.form, arguments.bfloat16)
    task = KINDS[arguments.kind](arrays, form, json.loads(arguments.settings))
    _print(losses=task.first(), torch=torch.__version__, threads=torch.get_num_threads())
    for line in sys.stdin:
        if line.strip() == "profile":
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
                seconds = _timed(task.again)
            _print(seconds=seconds, by_operation=_by_operation(found))
        else:
            _print(seconds=_timed(task.again))


def _timed(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _by_operation(profile: torch.profiler.profile) -> dict[str, float]:
    """Seconds of each operation, those of the operations that it calls left out."""
    return {event.key: 1e-6 * event.self_cpu_time_total for event in profile.key_averages()}


def _print(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
