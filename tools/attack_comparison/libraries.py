"""The process in which libraries attack a PyTorch copy of a D (tools/attack_worker.py)."""

import dataclasses
import json
import pathlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from robgan_tf.errors import UserError
from robgan_tf.typing import JsonObject

TOOLS = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Worker:
    """A program that attacks, and what its environment is made of: names of files of tools/."""

    script: str
    requirements: str


FOOLBOX_AND_ART = Worker("attack_libraries_worker.py", "requirements-pytorch.txt")
AUTOATTACK = Worker("autoattack_worker.py", "requirements-autoattack.txt")


class Libraries:
    """The process of the libraries, with a copy of the same D and images.

    Args:
      python: interpreter of an environment with the libraries.
      arrays: as `pytorch_discriminator.build` takes them.
      images: float32 [N, H, W, C] in [-1, 1], those that are attacked.
      labels: int64 [N].
      threads: number of threads of PyTorch.
      worker: the program that it runs.

    Attributes:
      versions: dict from package to version.
      logits: dict from form to the logits of its D, [N, K].

    Raises:
      UserError: if the interpreter cannot run it.
    """

    def __init__(
        self,
        python: str,
        arrays: Mapping[str, Any],
        images: np.ndarray,
        labels: np.ndarray,
        threads: int,
        worker: Worker = FOOLBOX_AND_ART,
    ) -> None:
        self._requirements = worker.requirements
        self._folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self._folder.name)
        self._stderr = path / "stderr"
        np.savez(path / "arrays.npz", images=images, labels=labels, **arrays)
        self._process = self._started(
            [python, str(TOOLS / worker.script)],
            [f"--arrays={path}/arrays.npz", f"--logits={path}/logits.npz", f"--threads={threads}"],
        )
        try:
            self.versions = self._answer()["versions"]
        except UserError:
            self.close()
            raise
        with np.load(path / "logits.npz") as logits:
            self.logits = dict(logits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()

    def attack(self, request: JsonObject) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Runs one of the worker's attacks.

        Args:
          request: dict of the attack's name, the form of D, the images and further arguments.

        Returns:
          Adversarial images, whether each is classified correctly, seconds, processor seconds.

        Raises:
          UserError: if the worker ended.
        """
        output = pathlib.Path(self._folder.name) / "found.npz"
        self._process.stdin.write(json.dumps({"output": str(output), **request}) + "\n")
        self._process.stdin.flush()
        times = self._answer()
        with np.load(output) as found:
            return (
                found["adversarial"],
                found["correct"],
                times["seconds"],
                times["processor_seconds"],
            )

    def _started(self, worker: Sequence[str], arguments: Sequence[str]) -> Any:
        try:
            with open(self._stderr, "w") as stderr:
                return subprocess.Popen(
                    [*worker, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                )
        except OSError as error:
            raise UserError(f"--pytorch_python={worker[0]}: {error.strerror}") from error

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        reason = (self._stderr.read_text().strip().splitlines() or ["without a message"])[-1]
        raise UserError(
            "the process of the libraries ended; the interpreter of --pytorch_python needs "
            f"the packages of tools/{self._requirements} ({reason})"
        )
