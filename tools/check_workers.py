"""Several workers beside one device, and killed: what docs/results/workers records.

    python -m tools.check_workers --kills=5

Trains a tiny run on one device, on two logical devices and by two worker processes, compares
losses and final outputs, with spectral and with batch normalization in D; then kills one of two
workers at random moments, measures how long the other goes on, starts both again, and compares the
run with one that was never stopped. Ends with status 1 if any of it fails.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import robgan_tf.cli.start
import robgan_tf.stages.joint
import robgan_tf.train
from robgan_tf.cli.launcher import free_ports
from robgan_tf.reporting import read_metrics
from tools.benchmarks.machine import describe
from tools.soaking.compare import differences
from tools.soaking.stage import TRAINING, forked

RECORD = pathlib.Path(__file__).parents[1] / "docs" / "results" / "workers" / "record.json"
# Losses of the first three steps, and outputs of the final models.
LOSS_BOUND, OUTPUT_BOUND = 1e-5, 1e-3
# Seconds within which a worker has to end after the other one was killed.
BOUND = 60.0
_LOST, _STEPS_COMPARED = 6, 3
# Of a run that is killed, and of its time, within which it is.
_STEPS, _SHARE_OF_A_RUN = 800, 0.6
# Over the soak's tiny run: enough images, updates and attack for parts of them to differ.
_MORE = (
    "train.batch_size=8",
    "train.discriminator_updates=2",
    "train.log_every=1",
    "train.keep_checkpoints=2",
    "data.augmentation='area_crop_flip'",
    "ProjectedGradientDescent.steps=2",
)


class Run:
    """A tiny run, by any number of worker processes.

    Args:
      folder: where its directory, its configuration and its logs are.
      name: of the run.
      bindings: further settings.
      workers: how many processes.
    """

    def __init__(
        self, folder: pathlib.Path, name: str, bindings: Sequence[str], workers: int = 1
    ) -> None:
        self.path = folder / name
        self.workers = workers
        self._folder = folder
        self._gin = folder / f"{name}.gin"
        self._gin.write_text(TRAINING)
        self._bindings = [*_MORE, *bindings]

    def start(self) -> list[int]:
        """Starts the processes; returns their numbers."""
        ports = free_ports(self.workers)
        return [self._start(index, ports) for index in range(self.workers)]

    def train(self) -> list[int]:
        """Trains to the end; returns the exit statuses."""
        return [_status(process, wait=True) for process in self.start()]

    def log(self, index: int) -> str:
        """What a worker has printed in all sessions."""
        return self._log(index).read_text()

    def _log(self, index: int) -> pathlib.Path:
        return self._folder / f"{self.path.name}_{index}.log"

    def _start(self, index: int, ports: Sequence[int]) -> int:
        arguments = [f"--gin_file={self._gin}", f"--run_dir={self.path}"]
        arguments += [f"--gin_param={binding}" for binding in self._bindings]

        def train() -> int:
            os.environ.pop("TF_CONFIG", None)
            if self.workers > 1:
                cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
                task = {"type": "worker", "index": index}
                os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
            tf.config.threading.set_intra_op_parallelism_threads(1)
            return robgan_tf.train.main(arguments)

        return forked(train, self._log(index))


def agreement(folder: pathlib.Path, normalization: str) -> dict[str, Any]:
    """One device, two logical devices and two workers, of the same settings.

    Args:
      folder: for the runs.
      normalization: of D.

    Returns:
      For each of the latter two the largest difference from one device.
    """
    bindings = [
        f"train.steps = {_STEPS_COMPARED}",
        f"ResNetDiscriminator.normalization = '{normalization}'",
    ]
    runs = {
        "one_device": Run(folder, f"{normalization}_one", bindings),
        "two_devices": Run(folder, f"{normalization}_two", [*bindings, "train.replicas = 2"]),
        "two_workers": Run(folder, f"{normalization}_workers", bindings, workers=2),
    }
    for name, run in runs.items():
        statuses = run.train()
        if any(statuses):
            logs = "".join(run.log(index) for index in range(run.workers))
            raise SystemExit(f"{name} ended with {statuses}: {logs}")
    one = runs.pop("one_device")
    return {
        name: {
            "losses": _difference_of_losses(run, one),
            "outputs": _difference_of_outputs(run, one),
            "lines_of_metrics": len(read_metrics(run.path / "metrics.jsonl")),
        }
        for name, run in runs.items()
    }


def _difference_of_losses(run: Run, one: Run) -> float:
    pairs = zip(*(read_metrics(x.path / "metrics.jsonl") for x in (run, one)), strict=True)
    return max(
        abs(mine[name] - theirs[name])
        for mine, theirs in pairs
        for name in mine
        if name.startswith("loss_")
    )


def _difference_of_outputs(run: Run, one: Run) -> float:
    """Of images of the averaged G, and of D's logits on them."""
    from robgan_tf.stages.finished import open_run

    latents = tf.random.stateless_normal([50, 8], [1, 2])
    labels = tf.range(50) % 10
    found = []
    for path in (run.path, one.path):
        finished = open_run(path)
        images = finished.load_generator()(latents, labels, training=False)
        logits = finished.load_discriminator()(images, labels, training=False)
        found.append([np.asarray(images), *map(np.asarray, logits)])
    return max(float(np.abs(a - b).max()) for a, b in zip(*found, strict=True))


def kills(
    folder: pathlib.Path, count: int, generator: random.Random, seconds: float | None = None
) -> dict[str, Any]:
    """Kills one of two workers, again and again, and starts both again.

    Args:
      folder: for the runs.
      count: kills.
      generator: draws who is killed, and when.
      seconds: of a run, so that kills fall within them; None to measure them on one that is never
        stopped, which the other is then compared with.

    Returns:
      A record.
    """
    bindings = [f"train.steps = {_STEPS}", "train.checkpoint_every = 20"]
    bindings += [f"train.sample_every = {_STEPS}"]
    straight = Run(folder, "straight", bindings, workers=2)
    problems: list[str] = []
    if seconds is None:
        began = time.monotonic()
        problems += [f"not killed: {statuses}"] if any(statuses := straight.train()) else []
        seconds = time.monotonic() - began
    run = Run(folder, "killed", bindings, workers=2)
    done: list[dict[str, Any]] = []
    while len(done) < count:
        processes = run.start()
        victim = generator.randrange(2)
        # Sooner than a session would end that begins where the last one was killed.
        moment = generator.uniform(0.0, _SHARE_OF_A_RUN * seconds)
        time.sleep(moment)
        step = _steps(run.path)
        os.kill(processes[victim], signal.SIGKILL)
        killed = time.monotonic()
        if _status(processes[victim], wait=True) != 128 + signal.SIGKILL:
            problems.append("a worker was done before it was killed")
        status = _status(processes[1 - victim], wait=False)
        while status is None and time.monotonic() - killed < BOUND:
            time.sleep(0.05)
            status = _status(processes[1 - victim], wait=False)
        went_on = time.monotonic() - killed
        if status is None:
            os.kill(processes[1 - victim], signal.SIGKILL)
            status = _status(processes[1 - victim], wait=True)
        last = [x for x in run.log(1 - victim).splitlines() if x.startswith("stopped: ")]
        done.append(
            {
                "killed": victim,
                "after_seconds": round(moment, 1),
                "at_step": step,
                "other_ended_after_seconds": round(went_on, 1),
                "other_status": status,
                "other_said": last[-1] if last else None,
            }
        )
        print(done[-1], flush=True)
        if status != _LOST:
            problems.append(f"kill {len(done)}: the other worker ended with {status}")
    statuses = run.train()
    if any(statuses):
        problems.append(f"started again it ended with {statuses}")
    elif straight.path.exists():
        problems += differences(run.path, straight.path, _STEPS)
    return {"kills": done, "seconds_of_a_run": round(seconds, 1), "problems": problems}


def _steps(path: pathlib.Path) -> int:
    metrics = path / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def _status(process: int, wait: bool) -> Any:
    """The exit status of a process, as the shell shows it; None while it runs."""
    found, status = os.waitpid(process, 0 if wait else os.WNOHANG)
    if not found:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the checks and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, help="of a run that is killed; measured on one that is not if None"
    )
    parser.add_argument("--noagreement", action="store_true", help="only kill")
    parser.add_argument("--output", type=pathlib.Path, default=RECORD)
    given = parser.parse_args(argv)
    record: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if given.kills:
            generator = random.Random(given.seed)
            record["killed"] = kills(folder, given.kills, generator, given.seconds)
        # In processes of their own until the outputs are compared: TensorFlow is used here then.
        record["agreement"] = {}
        for normalization in () if given.noagreement else ("spectral", "batch"):
            found = _in_a_copy(folder, normalization)
            record["agreement"][normalization] = found
            print(normalization, found, flush=True)
    record["machine"] = describe()
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(record, indent=1) + "\n")
    within = all(
        of["losses"] <= LOSS_BOUND and of["outputs"] <= OUTPUT_BOUND
        for found in record["agreement"].values()
        for of in found.values()
    )
    return 0 if within and not record.get("killed", {}).get("problems") else 1


def _in_a_copy(folder: pathlib.Path, normalization: str) -> dict[str, Any]:
    """`agreement`, in a copy of this process."""
    path = folder / f"{normalization}.json"

    def compare() -> int:
        path.write_text(json.dumps(agreement(folder, normalization)))
        return 0

    if _status(forked(compare, folder / f"{normalization}.log"), wait=True):
        raise SystemExit((folder / f"{normalization}.log").read_text())
    return json.loads(path.read_text())


if __name__ == "__main__":
    sys.exit(main())
