"""Commands run in this process: a start of TensorFlow and a compilation fewer each time."""

import contextlib
import importlib
import io
import pathlib
import subprocess
import sys
import time

import tensorflow as tf

from robgan_tf import __main__ as every_command
from robgan_tf.cli.commands import COMMANDS
from robgan_tf.reporting import read_metrics

ROOT = pathlib.Path(__file__).parents[1]


def run(command, *arguments):
    """Runs a command on arguments; what it ended with, as from `subprocess.run`."""
    module, _ = COMMANDS[command]
    return _ended(importlib.import_module(module).main, arguments)


def run_any(*arguments):
    """The same for all that comes after `robgan-tf`."""
    return _ended(every_command.main, arguments)


def start(command, *arguments):
    """A real process of a command, to be waited for."""
    return start_line([sys.executable, "-m", f"robgan_tf.{command}", *map(str, arguments)])


def start_line(words):
    """A real process of a command line."""
    return subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def stop_at(process, metrics, records, signal_number):
    """Sends a signal to a process of training once its metrics file has so many records.

    Returns:
      Its standard output and error.
    """
    deadline = time.monotonic() + 300
    while not (metrics.exists() and metrics.read_text().count("\n") >= records):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal_number)
    return process.communicate(timeout=300)


def deterministic(run_dir):
    """Everything recorded of a run that does not depend on the clock."""
    return [
        {name: value for name, value in record.items() if not name.startswith(("speed/", "time/"))}
        for record in read_metrics(run_dir / "metrics.jsonl")
    ]


def points(run_dir):
    """Tag and step of every point of TensorBoard that does not depend on the clock, in order.

    A run has one file of them.
    """
    (file,) = (run_dir / "tensorboard").iterdir()
    return [
        (value.tag, event.step)
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        # Of the configuration, `train.steps` may have grown.
        if not value.tag.startswith(("speed/", "time/", "configuration"))
    ]


def _ended(main, arguments):
    output, errors = io.StringIO(), io.StringIO()
    words = [str(argument) for argument in arguments]
    with (
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        status = main(words)
    return subprocess.CompletedProcess(words, status, output.getvalue(), errors.getvalue())
