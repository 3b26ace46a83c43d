"""Commands run in this process: a start of TensorFlow and a compilation fewer each time."""

import contextlib
import importlib
import io
import pathlib
import subprocess
import sys

from robgan_tf import __main__ as every_command
from robgan_tf.cli.commands import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]


def run(command, *arguments):
    """Runs a command on arguments; what it ended with, as from `subprocess.run`."""
    module, _ = COMMANDS[command]
    return _ended(importlib.import_module(module).main, arguments)


def run_any(*arguments):
    """The same for all that comes after `robgan-tf`."""
    return _ended(every_command.main, arguments)


def process(command, *arguments):
    """A real process of a command, to be waited for."""
    return subprocess.Popen(
        [sys.executable, "-m", f"robgan_tf.{command}", *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


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
