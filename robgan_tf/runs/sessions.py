"""What made a run, session by session: its command line, the machine, the versions, the memory.

environment.json holds them for reports. Nothing that is computed depends on it.
"""

import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import shlex
import sys
from collections.abc import Sequence

import tensorflow as tf

import robgan_tf
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import read_object
from robgan_tf.processor import model_name
from robgan_tf.typing import JsonObject

FILE_NAME = "environment.json"
_PACKAGES = ("tensorflow", "keras", "numpy")


def begin_session(run_dir: pathlib.Path, start_step: int) -> None:
    """Adds what this process is to the run's file.

    Args:
      run_dir: the run directory.
      start_step: steps that earlier sessions have made.
    """
    _write(run_dir, [*_sessions(run_dir), {"from_step": start_step + 1, **environment()}])


def end_session(run_dir: pathlib.Path) -> None:
    """Adds the most memory that this process had to what `begin_session` has written."""
    *before, last = _sessions(run_dir)
    _write(run_dir, [*before, {**last, **_memory()}])


def environment() -> JsonObject:
    """What this process is: command line, processor, cores, devices, versions."""
    return {
        "command": _command(sys.orig_argv),
        "robgan_tf": robgan_tf.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        "system": platform.platform(terse=True),
        "processor": model_name() or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "devices": [
            _device(x) for x in tf.config.list_physical_devices() if x.device_type != "CPU"
        ],
    }


def _command(words: Sequence[str]) -> str:
    """A command line as people write it: without where Python or the script lie."""
    program, *rest = words
    if rest and pathlib.Path(rest[0]).name == "robgan-tf":
        return shlex.join(["robgan-tf", *rest[1:]])
    return shlex.join([pathlib.Path(program).name, *rest])


def _device(device: tf.config.PhysicalDevice) -> str:
    details = tf.config.experimental.get_device_details(device)
    return details.get("device_name", device.device_type)


def _memory() -> JsonObject:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes there, in KiB everywhere else.
    memory = {"peak_memory_mib": round(peak / (2**20 if sys.platform == "darwin" else 2**10))}
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        used = [
            tf.config.experimental.get_memory_info(x.name.removeprefix("/device:"))["peak"]
            for x in gpus
        ]
        memory["peak_device_memory_mib"] = round(max(used) / 2**20)
    return memory


def _sessions(run_dir: pathlib.Path) -> list[JsonObject]:
    try:
        return list(read_object(run_dir / FILE_NAME).get("sessions", []))
    except UserError:
        # Not there yet, or damaged: no run is to end for what only reports read.
        return []


def _write(run_dir: pathlib.Path, sessions: Sequence[JsonObject]) -> None:
    write_atomically(run_dir / FILE_NAME, json.dumps({"sessions": list(sessions)}, indent=1) + "\n")
