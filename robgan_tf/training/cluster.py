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
        cluster = {job: [*map(str, tasks)] for job, tasks in config.get("cluster", {}).items()}
        task = config.get("task", {})
        job, number = str(task.get("type", "worker")), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{TF_CONFIG} cannot be read ({one_line(error)}): it takes "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from error
    before = len(cluster.get("chief", [])) if job == "worker" else 0
    addresses = [address for job in _JOBS for address in cluster.get(job, [])]
    if len(addresses) <= 1:
        return Workers()
    if job not in _JOBS or not 0 <= number < len(cluster.get(job, [])):
        raise UserError(
            f"{TF_CONFIG} makes this process task {number} of {job!r}, and trains with "
            f"{', '.join(f'{len(tasks)} of {job!r}' for job, tasks in cluster.items())}: give "
            "each process a task of its own among them"
        )
    return Workers(before + number, len(addresses), tuple(addresses))
