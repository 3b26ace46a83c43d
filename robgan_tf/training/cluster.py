"""The processes of a run on several workers: who this one is, and what it reads.

TF_CONFIG names the workers, as everywhere in TensorFlow; `MultiWorkerMirroredStrategy` connects
them and adds up over them. Every worker makes every step; the first one, the chief, alone writes
to the run directory, which all have to see. No TensorFlow here.
"""

import dataclasses
import json
import os

import numpy as np

from robgan_tf.errors import UserError, one_line

TF_CONFIG = "TF_CONFIG"
# Kinds of tasks that train; TensorFlow takes a chief for the first worker.
_JOBS = ("chief", "worker")
# Further ones that TensorFlow knows.
_OTHER_JOBS = ("master", "ps", "evaluator")


@dataclasses.dataclass(frozen=True)
class Workers:
    """The workers of a run.

    Attributes:
      index: the number of this one, from 0.
      count: how many there are.
      addresses: of all, as "host:port", where TF_CONFIG names several.
    """

    index: int = 0
    count: int = 1
    addresses: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @property
    def is_chief(self) -> bool:
        """Whether this one writes to the run directory."""
        return self.index == 0

    def rows(self, batch_size: int, accumulation_steps: int = 1) -> np.ndarray | None:
        """Positions of the samples of a batch that this worker reads; None for all.

        They are its part of each micro-batch, so that what makes a micro-batch does not depend on
        the number of workers.

        Args:
          batch_size: of the global batch.
          accumulation_steps: micro-batches in it.
        """
        if self.count == 1:
            return None
        parts = np.arange(batch_size).reshape(accumulation_steps, self.count, -1)
        return parts[:, self.index].reshape(-1)


ONE_WORKER = Workers()


def workers_of_environment() -> Workers:
    """The workers that TF_CONFIG names; one where it names none.

    Raises:
      UserError: if it cannot be read, or this process is none that trains.
    """
    text = os.environ.get(TF_CONFIG, "")
    if not text.strip():
        return Workers()
    try:
        config = json.loads(text)
        cluster = {job: _listed(tasks) for job, tasks in config.get("cluster", {}).items()}
        task = config.get("task", {})
        job, number = str(task.get("type", "worker")), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(
            f"{TF_CONFIG} cannot be read ({one_line(error)}): it takes "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from error
    if unknown := sorted(set(cluster) - {*_JOBS, *_OTHER_JOBS}):
        raise UserError(
            f"{TF_CONFIG} names tasks of {unknown[0]!r}, which TensorFlow has none of: those that "
            f"train are called {' or '.join(map(repr, _JOBS))}"
        )
    before = len(cluster.get("chief", [])) if job == "worker" else 0
    addresses = [address for job in _JOBS for address in cluster.get(job, [])]
    if twice := [address for address in addresses if addresses.count(address) > 1]:
        raise UserError(
            f"{TF_CONFIG} gives {twice[0]} to {len(twice)} tasks: each has an address of its own"
        )
    if not addresses:
        return Workers()
    if job not in _JOBS or not 0 <= number < len(cluster.get(job, [])):
        raise UserError(
            f"{TF_CONFIG} makes this process task {number} of {job!r}, and trains with "
            f"{', '.join(f'{len(tasks)} of {job!r}' for job, tasks in cluster.items())}: give "
            "each process a task of its own among them"
        )
    if len(addresses) == 1:
        return Workers()
    return Workers(before + number, len(addresses), tuple(addresses))


def _listed(tasks: object) -> list[str]:
    """The addresses of a job."""
    if not isinstance(tasks, list):
        raise TypeError(f"{tasks!r} is no list of addresses")
    return [*map(str, tasks)]
