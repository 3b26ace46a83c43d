"""The two stacks beside each other: first losses from the same weights, and throughput.

    python -m tools.compare_stacks .venv/bin/python .venv-tfa/bin/python RECORD.json

The first Python trains gin/quickstart.gin for one step. From its weights both train anew, and the
losses of the first steps are printed side by side. Then they take turns, and the ratio of their
images a second is that of the medians over the turns.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

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
        _train(wanted.pythons[0], folder / "start", 1)
        warm = f"--warm_start={folder / 'start'}"
        losses = [
            _losses(_train(python, folder / f"losses_{number}", wanted.steps, warm))
            for number, python in enumerate(wanted.pythons)
        ]
        speeds: tuple[list[float], list[float]] = ([], [])
        for turn in range(wanted.turns):
            for number, python in enumerate(wanted.pythons):
                lines = _train(python, folder / f"turn_{turn}_{number}", wanted.turn_steps, warm)
                # The first half has the compilation and the first steps in it.
                later = lines[len(lines) // 2 :]
                speeds[number].append(
                    statistics.median(line["speed/images_per_second"] for line in later)
                )
    _report(losses, speeds, wanted.record)


def _train(python: str, run_dir: pathlib.Path, steps: int, *more: str) -> list[dict]:
    """Trains, and returns the lines of metrics.jsonl."""
    bindings = [f"--gin_param={text}" for text in (*QUIET, "train.log_every=1")]
    command = [
        *(python, "-m", "robgan_tf.train", "--gin_file=gin/quickstart.gin", *bindings),
        *(f"--gin_param=train.steps={steps}", f"--run_dir={run_dir}", *more),
    ]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def _losses(lines: list[dict]) -> dict[str, list[float]]:
    names = ("loss_discriminator/total", "loss_generator/total")
    return {name: [line[name] for line in lines] for name in names}


def _report(
    losses: list[dict[str, list[float]]],
    speeds: tuple[list[float], list[float]],
    record: pathlib.Path,
) -> None:
    largest = 0.0
    for name, ours in losses[0].items():
        for step, (one, other) in enumerate(zip(ours, losses[1][name], strict=True), start=1):
            relative = abs(one - other) / abs(one)
            largest = max(largest, relative)
            print(f"step {step}  {name:26}  {one:.7f}  {other:.7f}  {relative:.1e}")
    print(f"largest relative difference: {largest:.1e}")
    medians = [statistics.median(values) for values in speeds]
    print(f"images a second: {medians[0]:.1f} and {medians[1]:.1f}, {medians[1] / medians[0]:.2f}")
    found = {"losses": losses, "largest": largest, "images_per_second": speeds}
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
