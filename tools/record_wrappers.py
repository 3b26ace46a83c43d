"""Runs of joint training with different spectral normalizations, as a table.

    python -m tools.record_wrappers RUN_DIR RUN_DIR ... --record=RECORD.md

Of each run, which has been evaluated (`robgan-tf evaluate robustness`): the losses, means over its
last quarter; the largest and smallest singular value, by numpy, of the kernels that D uses in
inference; accuracy at each radius.
"""

import argparse
import json
import pathlib
import statistics
from typing import Any

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported

# isort: split
import numpy as np

from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.stages.finished import open_run

LOSSES = ("loss_discriminator/total", "loss_generator/total")


def main() -> None:
    """Reads the runs, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--record", type=pathlib.Path, required=True)
    wanted = parser.parse_args()
    rows = [_row(path) for path in wanted.runs]
    names = list(rows[0])
    lines = [
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
        *(f"| {' | '.join(row.get(name, '') for name in names)} |" for row in rows),
    ]
    print("\n".join(lines))
    wanted.record.parent.mkdir(parents=True, exist_ok=True)
    wanted.record.write_text("\n".join(lines) + "\n")


def _row(path: pathlib.Path) -> dict[str, str]:
    metrics = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    last = metrics[-max(1, len(metrics) // 4) :]
    row = {"run": path.name, "steps": str(metrics[-1]["step"])}
    for name in LOSSES:
        row[name] = f"{statistics.fmean(line[name] for line in last if name in line):.4f}"
    sigmas = _sigmas(path)
    row["sigma at inference"] = f"{min(sigmas):.3f} to {max(sigmas):.3f}"
    for found in sorted(path.glob("evaluations/robustness_*.json")):
        for radius in json.loads(found.read_text())["radii"]:
            row[f"accuracy at {radius['epsilon']:g}"] = f"{radius['accuracy']:.2%}"
    return row


def _sigmas(path: pathlib.Path) -> list[float]:
    model: Any = open_run(path).load_discriminator()
    kernels = [
        np.array(layer.normalized_kernel()) for layer in spectral_normalization_layers(model)
    ]
    return [
        float(np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0])
        for kernel in kernels
    ]


if __name__ == "__main__":
    main()
