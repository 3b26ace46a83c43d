"""Watches the memory and the open files of a training run, to see whether they stay flat.

    python -m tools.footprint --gin_file=tests/tiny_run/joint.gin --gin_param=train.log_every=10

takes the arguments of `robgan-tf train`, trains in a new directory that is removed, and prints a
row every tenth of the run: resident memory and open files of the process as Linux counts them. The
last line says what a step of the second half has added.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

ROWS = 10


@dataclasses.dataclass(frozen=True)
class Row:
    """What a process held at a step.

    Attributes:
      step: the last step recorded.
      resident: memory, in MB of 2**20 bytes.
      peak: the most so far.
      files: open files, sockets and pipes among them.
    """

    step: int
    resident: float
    peak: float
    files: int

    def __str__(self) -> str:
        return f"{self.step:>7}{self.resident:>14.1f}{self.peak:>10.1f}{self.files:>12}"


def watched(process: subprocess.Popen, metrics: pathlib.Path) -> Iterator[Row]:
    """A row for each new record of a run while its process lives.

    Args:
      process: of `robgan-tf train`.
      metrics: the run's metrics.jsonl.
    """
    proc, last = pathlib.Path("/proc") / str(process.pid), 0
    while process.poll() is None:
        step = _last_step(metrics)
        try:
            lines = (proc / "status").read_text().splitlines()
            files = len(list((proc / "fd").iterdir()))
        except OSError:
            return  # It has ended meanwhile.
        fields = dict(line.split(":", 1) for line in lines)
        if step > last and "VmRSS" in fields:
            resident, peak = (int(fields[x].split()[0]) / 1024 for x in ("VmRSS", "VmHWM"))
            yield Row(step, resident, peak, files)
            last = step
        time.sleep(0.02)


def growth(rows: Sequence[Row]) -> tuple[float, int]:
    """KB of resident memory a step, and open files, that the second half of a run has added."""
    half = [row for row in rows if row.step >= rows[-1].step / 2]
    steps = half[-1].step - half[0].step
    return (
        1024 * (half[-1].resident - half[0].resident) / steps,
        half[-1].files - half[0].files,
    )


def main(arguments: Sequence[str]) -> int:
    """Trains, prints the rows and what was added; returns the exit status of training."""
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        words = [sys.executable, "-m", "robgan_tf.train", *arguments, f"--run_dir={run}"]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        rows = list(watched(process, run / "metrics.jsonl"))
        status = process.wait()
    if status or len(rows) < 2:
        return status or 1
    print(f"{'step':>7}{'resident, MB':>14}{'peak, MB':>10}{'open files':>12}")
    for number in range(1, ROWS + 1):
        print(next(row for row in rows if row.step >= rows[-1].step * number / ROWS))
    kilobytes, files = growth(rows)
    print(f"added by a step of the second half: {kilobytes:.2f} KB; open files: {files:+d}")
    return 0


def _last_step(metrics: pathlib.Path) -> int:
    if not metrics.exists():
        return 0
    # The last line may not be whole yet.
    *whole, _ = metrics.read_text().split("\n")
    return json.loads(whole[-1])["step"] if whole else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
