"""Checks the package on one accelerator.

    python -m tools.accelerator_check --output_dir=DIR

Speed of the training step and of PGD in several precisions, compiled by XLA and deterministic; real
training; first losses against those of a CPU. Writes DIR/record.json, after every section anew, and
DIR/record.md. Sections that fail or have no time are in it too; the exit status is 1 if one failed.
Small, on a CPU, in some minutes, without the slowest sections: --base_width=8 --steps=3
--seconds_per_timing=0 --images=100 --without_inception --attack_batches=100

    --data_dir=DIR          prepared CIFAR-10 for real steps; without it they are made on digits
    --write_reference=FILE  write the first losses, computed on the CPU, and do nothing else
    --reference=FILE        compare with those: of the same width, from another machine
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import time

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow

# isort: split
import tensorflow as tf

from robgan_tf.errors import UserError
from tools.accelerator import reference, training_step
from tools.accelerator.record import FAILED, Record
from tools.accelerator.report import markdown
from tools.accelerator.runner import run_sections
from tools.accelerator.sections import GROUPS, SECTIONS, SLOW_ON_CPU, Options
from tools.benchmarks.machine import describe

# After the deadline a section that was begun in time may go on for so long.
_GRACE_SECONDS = 45


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.write_reference:
        _write_reference(arguments)
        return 0
    if not arguments.output_dir:
        parser.error("where shall the record go? Give --output_dir")
    chosen = arguments.sections or list(SECTIONS)
    for name in chosen:
        if name not in SECTIONS:
            parser.error(f"--sections: {name!r} does not exist; choose from {', '.join(SECTIONS)}")
    path = arguments.output_dir / "record.json"
    if arguments.alone:
        _alone(arguments.alone, _options(arguments), path, chosen, arguments.deadline)
        return 0
    if arguments.reference:
        try:
            reference.read(arguments.reference, training_step.identity(arguments.base_width))
        except UserError as error:
            parser.error(str(error))
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    return _check(arguments, path, chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output_dir", type=pathlib.Path, help="where the record goes")
    parser.add_argument("--data_dir", help="prepared CIFAR-10")
    parser.add_argument("--base_width", type=int, default=64, help="of both networks")
    parser.add_argument("--steps", type=int, default=300, help="of real training")
    parser.add_argument("--sections", type=_names, help="which to run, with commas between")
    parser.add_argument(
        "--budget_seconds", type=float, default=480, help="no section is begun later than this"
    )
    parser.add_argument(
        "--section_seconds", type=float, default=120, help="a section that takes longer is ended"
    )
    parser.add_argument(
        "--seconds_per_timing", type=float, default=5.0, help="how long each is repeated"
    )
    parser.add_argument("--images", type=int, default=5000, help="generated and looked at")
    parser.add_argument("--without_inception", action="store_true", help="time no such network")
    parser.add_argument("--attack_batches", type=_names, default=["100", "1000"], help="of PGD-20")
    parser.add_argument("--reference", help="first losses of a CPU to compare with")
    parser.add_argument("--write_reference", help="where to write such losses")
    parser.add_argument("--alone", choices=list(GROUPS), help=argparse.SUPPRESS)
    parser.add_argument("--deadline", type=float, help=argparse.SUPPRESS)
    return parser


def _names(text: str) -> list[str]:
    return text.split(",")


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        base_width=arguments.base_width,
        steps=arguments.steps,
        data_dir=arguments.data_dir,
        attack_batches=tuple(int(batch) for batch in arguments.attack_batches),
        images=arguments.images,
        seconds_per_timing=arguments.seconds_per_timing,
        reference=arguments.reference,
        with_inception=not arguments.without_inception,
    )


def _check(arguments: argparse.Namespace, path: pathlib.Path, chosen: list[str]) -> int:
    """Runs the groups, each in a process of its own; returns the exit status."""
    path.unlink(missing_ok=True)
    record = Record(path)
    record.options(_recorded(arguments))
    if not arguments.sections and not tf.config.list_physical_devices("GPU"):
        for name in SLOW_ON_CPU:
            record.skipped(name, "slow on a CPU: ask for it with --sections")
    deadline = time.time() + arguments.budget_seconds
    for group in GROUPS:
        _run_group(group, path, chosen, deadline, arguments.section_seconds)
    content = json.loads(path.read_text())
    text = markdown(content)
    path.with_suffix(".md").write_text(text)
    print(text)
    return int(any(entry["status"] == FAILED for entry in content["sections"].values()))


def _recorded(arguments: argparse.Namespace) -> dict:
    """Options without this machine's paths."""
    options = dataclasses.asdict(_options(arguments))
    for name in ("data_dir", "reference"):
        options[name] = options[name] and pathlib.Path(options[name]).name
    limits = ("budget_seconds", "section_seconds")
    return {**options, **{name: getattr(arguments, name) for name in limits}}


def _run_group(
    group: str, path: pathlib.Path, chosen: list[str], deadline: float, section_seconds: float
) -> None:
    """Runs a group in a process of its own, and in another one what a dying process left."""
    while left := _left(group, path, chosen):
        if time.time() > deadline:
            for name in left:
                Record(path).skipped(name, "the time was used up")
            return
        arguments = [f"--alone={group}", f"--deadline={deadline}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.accelerator_check", *sys.argv[1:], *arguments]
        )
        why = _watch(process, path, deadline, section_seconds)
        record = Record(path)
        running = record.running()
        if not running and _left(group, path, chosen) == left:
            # It died before its first section: another one would too.
            running = left
        for name in running:
            record.failed(name, None, why)


def _watch(
    process: subprocess.Popen, path: pathlib.Path, deadline: float, section_seconds: float
) -> str:
    """Waits for a process, or ends it when its time is up; returns why a section may be cut."""
    current, since = None, time.time()
    while process.poll() is None:
        time.sleep(0.2)
        running = Record(path).running()
        if running != current:
            current, since = running, time.time()
        late = time.time() > deadline + _GRACE_SECONDS
        if late or (running and time.time() > since + section_seconds):
            process.kill()
            process.wait()
            why = "the time was used up" if late else f"it took over {section_seconds:g} s"
            return f"ended after {time.time() - since:.0f} s: {why}"
    return (
        f"the process died with status {process.returncode}; its last words are on standard error"
    )


def _left(group: str, path: pathlib.Path, chosen: list[str]) -> list[str]:
    record = Record(path)
    names = [section.__name__ for section in GROUPS[group].sections]
    return [name for name in names if name in chosen and record.status(name) is None]


def _alone(
    group: str, options: Options, path: pathlib.Path, chosen: list[str], deadline: float
) -> None:
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    # Each section traces the same methods once: nothing to warn of.
    tf.get_logger().setLevel("ERROR")
    GROUPS[group].prepare()
    run_sections(_left(group, path, chosen), options, Record(path), deadline)


def _write_reference(arguments: argparse.Namespace) -> None:
    tf.config.set_visible_devices([], "GPU")
    step = training_step.TrainingStep(arguments.base_width)
    losses = training_step.first_losses(step)
    identity = training_step.identity(arguments.base_width)
    reference.write(arguments.write_reference, identity, losses, describe())


if __name__ == "__main__":
    sys.exit(main())
