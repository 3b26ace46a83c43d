"""Kills tiny real runs again and again, starts them again, and compares with runs never stopped.

    python -m tools.soak --kills=100

Both stages are trained, operation by operation unless --compiled is given. Each signal stops a run
at steps drawn at random; then SIGKILL comes at random moments: at any, while training, inside of
saves, which are slowed, and inside of the very first save. Processes are copies of one that has
TensorFlow loaded. Ends with status 1 if a run was not continued, lost more steps than lie between
two saves, or differs from one that was not stopped.
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
from collections.abc import Iterator, Sequence

import robgan_tf.cli.start
import robgan_tf.stages.finetune
import robgan_tf.stages.joint  # noqa: F401
from tools.benchmarks.machine import describe
from tools.soaking import compare
from tools.soaking.chain import (
    Chain,
    allowed_loss,
    most_bytes_allowed,
    run_chain,
    straight_seconds,
)
from tools.soaking.moments import Moment, at_step, drawn, inside_a_save
from tools.soaking.stage import TinyStage, forked

RECORD = pathlib.Path(__file__).parents[1] / "docs" / "results" / "soak" / "record.json"
# Of kills at random moments, those inside of the very first save, each in a run of its own.
_FIRST_SAVES = 5
_SAVE_SECONDS = 0.5
_COMPLAINTS = ("WARNING: ", "error: ")


def soak(stage: TinyStage, kills: int, stops: int, generator: random.Random) -> dict:
    """Stops runs of a stage in all ways.

    Args:
      stage: what is run.
      kills: SIGKILLs in all.
      stops: steps drawn at random, at which each signal stops a run.
      generator: what draws.

    Returns:
      A record of what happened.
    """
    straight = stage.folder / f"{stage.command}_straight"
    life = straight_seconds(stage, straight)
    chains = {}
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        steps = sorted(generator.sample(range(1, stage.steps), stops))
        moments: Iterator[tuple[str, Moment]] = iter([(f"step {x}", at_step(x)) for x in steps])
        run_dir = stage.folder / f"{stage.command}_{number.name}"
        chains[run_dir.name] = _done(stage, run_chain(stage, run_dir, moments, number))
    left, run_number = kills - stops, 0
    while left > 0:
        first = run_number < _FIRST_SAVES
        run_dir = stage.folder / f"{stage.command}_random_{run_number}"
        # Not all in one run, which would then hardly get on.
        count = min(left, 1 if first else 8)
        moments = iter([_drawn(generator, life, first) for _ in range(count)])
        chain = _done(stage, run_chain(stage, run_dir, moments))
        chains[run_dir.name], run_number = chain, run_number + 1
        left -= len(chain.stops)
    return _record(stage, straight, chains)


def main(argv: Sequence[str] | None = None) -> int:
    """Soaks both stages and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs of fine-tuning")
    parser.add_argument("--joint_kills", type=int, default=20, help="SIGKILLs of joint training")
    parser.add_argument("--stops", type=int, default=10, help="steps each signal stops a run at")
    parser.add_argument("--steps", type=int, default=15, help="of a run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--compiled", action="store_true", help="compile steps: far slower")
    parser.add_argument("--output", type=pathlib.Path, default=RECORD, help="the record")
    given = parser.parse_args(argv)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    generator = random.Random(given.seed)
    record: dict = {"arguments": sys.argv[1:] if argv is None else list(argv)}
    record |= {"machine": describe(), "compiled": given.compiled}
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for command, kills in (("finetune", given.kills), ("train", given.joint_kills)):
            began = time.monotonic()
            stage = TinyStage(command, given.steps, given.compiled, pathlib.Path(folder))
            soaked = soak(stage, kills, given.stops, generator)
            record[command] = {**soaked, "seconds": round(time.monotonic() - began)}
            failures += soaked["failures"]
            # What the first stage did is kept if the second does not come to its end.
            given.output.parent.mkdir(parents=True, exist_ok=True)
            given.output.write_text(json.dumps(record, indent=1) + "\n")
            print(f"{command}: {soaked['sigkills']} SIGKILLs, {len(soaked['failures'])} failures")
    for line in failures:
        print(f"  {line}")
    return 1 if failures else 0


def _drawn(generator: random.Random, life: float, first: bool) -> tuple[str, Moment]:
    if first:
        return "the first save", inside_a_save(generator.uniform(0.0, _SAVE_SECONDS))
    return drawn(generator, life, _SAVE_SECONDS)


def _done(stage: TinyStage, chain: Chain) -> Chain:
    """Compares a finished run with the straight one, in a copy that may use TensorFlow."""
    straight = stage.folder / f"{stage.command}_straight"
    result = stage.folder / f"{chain.run_dir.name}.json"

    def compared() -> int:
        result.write_text(json.dumps(compare.differences(chain.run_dir, straight, stage.steps)))
        return 0

    if not chain.problems:
        _, status = os.waitpid(forked(compared, stage.log(chain.run_dir)), 0)
        compared_well = status == 0
        chain.problems += (
            json.loads(result.read_text())
            if compared_well
            else [f"{chain.run_dir.name} could not be compared"]
        )
    text = stage.log(chain.run_dir).read_text()
    chain.problems += [line for line in text.splitlines() if line.startswith(_COMPLAINTS)]
    print(
        f"{chain.run_dir.name}: {len(chain.stops)} stops, {chain.problems or 'equal'}", flush=True
    )
    return chain


def _record(stage: TinyStage, straight: pathlib.Path, chains: dict[str, Chain]) -> dict:
    counted = stage.folder / "counts.json"

    def count() -> int:
        counted.write_text(json.dumps(compare.counts(straight, stage.steps)))
        return 0

    os.waitpid(forked(count, stage.log(straight)), 0)
    failures = [line for chain in chains.values() for line in chain.problems]
    stops = [kind for chain in chains.values() for kind in chain.stops]
    asked = [f"{stage.command}_SIGTERM", f"{stage.command}_SIGINT"]
    killed = {name: chain for name, chain in chains.items() if name not in asked}
    most_lost = max(chain.most_steps_lost for chain in killed.values())
    most_bytes = max(chain.most_checkpoint_bytes for chain in chains.values())
    continued = sum(chain.continued for chain in chains.values())
    unreadable = sum(chain.unreadable for chain in chains.values())
    if continued != len(stops):
        failures.append(f"{stage.command}: {continued} of {len(stops)} stops were continued")
    if most_lost > allowed_loss():
        failures.append(f"{stage.command}: {most_lost} steps were lost")
    if unreadable:
        failures.append(f"{stage.command}: {unreadable} checkpoints could not be read")
    if most_bytes > most_bytes_allowed(straight):
        failures.append(f"{stage.command}: checkpoints took {most_bytes} bytes")
    return {
        "runs": len(chains),
        "steps": stage.steps,
        "sigkills": sum(len(chain.stops) for chain in killed.values()),
        "sigterms": len(chains[asked[0]].stops),
        "sigints": len(chains[asked[1]].stops),
        "moments": {kind: stops.count(kind) for kind in sorted(set(stops)) if "step" not in kind},
        "continued": continued,
        "most_steps_lost_by_a_kill": most_lost,
        "steps_between_saves": allowed_loss(),
        "unreadable_checkpoints": unreadable,
        "most_checkpoint_bytes": most_bytes,
        "checkpoint_bytes_allowed": most_bytes_allowed(straight),
        "compared_with_tolerance_0": json.loads(counted.read_text()),
        "runs_equal": sum(not chain.problems for chain in chains.values()),
        "failures": failures,
    }


if __name__ == "__main__":
    sys.exit(main())
