"""The two stacks beside each other: losses from the same weights, weights that cross, throughput.

    taskset -c 0 python -m tools.compare_stacks .venv/bin/python .venv-tfa/bin/python RECORD.json

The first Python trains gin/quickstart.gin for one step. From its weights both train anew, and the
losses of the first steps are printed side by side; so in float32, and so in float64. The runs in
float32 are opened on both, and what their networks compute is compared. Then the stacks take turns,
and the ratio of their images a second is the median of the ratios of the turns.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
from typing import Any

import numpy as np

TRAIN = ("robgan_tf.train",)
ROOT = pathlib.Path(__file__).parents[1]
QUIET = (
    "gap.every=0",
    "quality.every=0",
    "final_evaluation.images=0",
    "train.sample_every=100000",
)


def main() -> None:
    """Runs the comparison, prints it and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pythons", nargs=2, help="of the default stack, and of the other")
    parser.add_argument("record", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=5, help="whose losses are compared")
    parser.add_argument("--turns", type=int, default=3, help="of each stack")
    parser.add_argument("--turn_steps", type=int, default=40, help="steps of a turn")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        found = {
            "losses": _compared_losses(wanted.pythons, folder, wanted.steps),
            "weights": _compared_weights(wanted.pythons, folder),
            "throughput": _compared_speeds(wanted, folder),
        }
    wanted.record.parent.mkdir(parents=True, exist_ok=True)
    wanted.record.write_text(json.dumps(found, indent=1) + "\n")


def _compared_losses(pythons: list[str], folder: pathlib.Path, steps: int) -> dict[str, dict]:
    """Of float32 and float64: {name: the losses of each stack}, and the largest difference."""
    found = {}
    for kind, program in (("float32", TRAIN), ("float64", ("tools.in_float64", *TRAIN))):
        start = folder / f"start_{kind}"
        _train(pythons[0], start, 1, program=program)
        losses = [
            _losses(_train(python, folder / f"{kind}_{number}", steps, start, program))
            for number, python in enumerate(pythons)
        ]
        largest = 0.0
        for name, ours in losses[0].items():
            for step, (one, other) in enumerate(zip(ours, losses[1][name], strict=True), start=1):
                relative = abs(one - other) / abs(one)
                largest = max(largest, relative)
                print(f"{kind} step {step}  {name:26}  {one:.9f}  {other:.9f}  {relative:.1e}")
        print(f"{kind}: largest relative difference {largest:.1e}", flush=True)
        found[kind] = {"default": losses[0], "tfa": losses[1], "largest": largest}
    return found


def _compared_weights(pythons: list[str], folder: pathlib.Path) -> dict[str, float]:
    """{stack that wrote the weights: largest difference of what they compute on the other}."""
    found = {}
    for number, writer in enumerate(("default", "tfa")):
        outputs = []
        for python in pythons:
            path = folder / "outputs.npz"
            _run([python, "-m", "tools.run_outputs", str(folder / f"float32_{number}"), str(path)])
            outputs.append(dict(np.load(path)))
        found[writer] = max(
            float(np.max(np.abs(outputs[0][name] - outputs[1][name]))) for name in outputs[0]
        )
        print(f"weights of {writer}: largest difference {found[writer]:.1e}", flush=True)
    return found


def _compared_speeds(wanted: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """Images a second of each turn, and the median of the ratios of the turns."""
    speeds: tuple[list[float], list[float]] = ([], [])
    for turn in range(wanted.turns):
        for number, python in enumerate(wanted.pythons):
            run_dir = folder / f"turn_{turn}_{number}"
            lines = _train(python, run_dir, wanted.turn_steps, folder / "start_float32")
            # The first half has the compilation and the first steps in it.
            later = lines[len(lines) // 2 :]
            speeds[number].append(
                statistics.median(line["speed/images_per_second"] for line in later)
            )
        print(f"turn {turn + 1}: {speeds[0][-1]:.1f} and {speeds[1][-1]:.1f} images a second")
    ratio = statistics.median(other / one for one, other in zip(*speeds, strict=True))
    print(f"the second is {ratio:.2f} times as fast as the first")
    return {"default": speeds[0], "tfa": speeds[1], "ratio": ratio}


def _train(
    python: str,
    run_dir: pathlib.Path,
    steps: int,
    start: pathlib.Path | None = None,
    program: tuple[str, ...] = TRAIN,
) -> list[dict]:
    """Trains, from the weights of a run, and returns the lines of metrics.jsonl."""
    bindings = [f"--gin_param={text}" for text in (*QUIET, "train.log_every=1")]
    command = [
        *(python, "-m", *program, "--gin_file=gin/quickstart.gin", *bindings),
        *(f"--gin_param=train.steps={steps}", f"--run_dir={run_dir}"),
        *([f"--warm_start={start}"] if start else []),
    ]
    _run(command)
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def _run(command: list[str]) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def _losses(lines: list[dict]) -> dict[str, list[float]]:
    names = ("loss_discriminator/total", "loss_generator/total")
    return {name: [line[name] for line in lines] for name in names}


if __name__ == "__main__":
    main()
