"""Command lines for people to copy: what comes next after a command."""

import os
import shlex
import shutil
import sys

from robgan_tf.cli.command import SCRIPT, is_script
from robgan_tf.cli.flags import training_run_dir
from robgan_tf.cli.parser import Values, flag_name


def command_line(command: str, *arguments: str) -> str:
    """A command line that runs a command as this process was started, from where it was.

    Args:
      command: its name, such as "evaluate".
      arguments: of it.
    """
    if is_script():
        script = shutil.which(sys.argv[0]) or sys.argv[0]
        found = shutil.which(SCRIPT)
        by_name = found is not None and os.path.samefile(found, script)
        return shlex.join([SCRIPT if by_name else script, command, *arguments])
    python = os.path.relpath(sys.executable)
    # Without a folder in its name it would be looked for on the path.
    python = python if os.path.dirname(python) else os.path.join(os.curdir, python)
    return shlex.join([python, "-m", f"robgan_tf.{command}", *arguments])


def continuation(command: str, given: Values, steps_name: str, steps: int) -> str:
    """The command line that continues a run of training to a number of steps.

    Everything that was given is given again.

    Args:
      command: the command's name.
      given: its values.
      steps_name: name of the setting that holds the number of steps.
      steps: how many.
    """
    kept = [
        word
        for word in given.given
        if flag_name(word) != "run_dir" and not _binds(word, steps_name)
    ]
    return command_line(
        command,
        *kept,
        f"--gin_param={steps_name}={steps}",
        f"--run_dir={training_run_dir(given)}",
    )


def given_again(given: Values, *names: str) -> list[str]:
    """Those of some flags that were given, as they were given."""
    return [word for word in given.given if flag_name(word) in names]


def _binds(word: str, setting: str) -> bool:
    name, _, binding = word.lstrip("-").partition("=")
    return name == "gin_param" and binding.partition("=")[0].strip() == setting
