"""A process of another environment that answers each line on its standard input with JSON."""

import json
import subprocess
import tempfile
from collections.abc import Sequence

from robgan_tf.errors import UserError
from robgan_tf.typing import JsonObject


class WorkerProcess:
    """Starts a worker and talks to it.

    Args:
      python: interpreter of an environment with what it needs.
      arguments: the worker's file and its arguments.
      needs: the packages it needs, for messages.

    Raises:
      UserError: if the interpreter cannot be started.
    """

    def __init__(self, python: str, arguments: Sequence[str], needs: str) -> None:
        self._needs = needs
        # A file, since a full pipe would stop the process; it goes with this object.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [python, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
            )
        except OSError as error:
            raise UserError(f"--pytorch_python={python}: {error.strerror}") from error

    def answer(self) -> JsonObject:
        """Waits for the next line and returns what it says.

        Raises:
          UserError: if the process ended.
        """
        assert self._process.stdout is not None, "it is a pipe"
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._errors.seek(0)
        reason = (self._errors.read().strip().splitlines() or ["without a message"])[-1]
        raise UserError(
            f"the process of --pytorch_python ended; its interpreter needs {self._needs} ({reason})"
        )

    def ask(self, line: str) -> JsonObject:
        """Writes a line and returns the answer."""
        assert self._process.stdin is not None, "it is a pipe"
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()
        self._errors.close()
