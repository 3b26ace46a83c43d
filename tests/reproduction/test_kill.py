"""`reproduce` killed in the middle of three runs, and its report beside that of an unbroken one."""

import json
import pathlib
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from robgan_tf.errors import UserError
from robgan_tf.reproduction.jobs import jobs_of
from robgan_tf.reproduction.report import CLOCK_SECTIONS
from robgan_tf.reproduction.run import reproduce, status
from robgan_tf.reproduction.state import states
from tests.reproduction import fake_run
from tests.reproduction.driver import ITEMS
from tests.reproduction.fake_run import LINES, experiment_in

ROOT = pathlib.Path(__file__).parents[2]


def begin(out, slots=2, seconds=0.5):
    """A process of reproduce."""
    words = [sys.executable, "-m", "tests.reproduction.driver", out, seconds, slots]
    return subprocess.Popen(
        [str(word) for word in words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def wait_for_middle(out, number):
    """Waits until so many runs are in their middle or past it; returns one that is in it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = {x.parent.name: x.read_text().count("\n") for x in out.glob("runs/*/metrics.jsonl")}
        inside = [name for name, count in lines.items() if 2 <= count < LINES - 2]
        if len([name for name, count in lines.items() if count >= 2]) >= number and inside:
            return inside[0]
        time.sleep(0.01)
    raise AssertionError(f"no run was in its middle: {lines}")


def told(out):
    """The report but for what is of the clock, and where it is."""
    text = (out / "report.md").read_text().replace(str(out), "OUT")
    for title in CLOCK_SECTIONS:
        assert f"## {title}\n" in text
        text = re.sub(rf"^## {title}\n.*?(?=^## )", "", text, flags=re.DOTALL | re.MULTILINE)
    return text, json.loads((out / "report.json").read_text())


def make_at_once(out):
    """The same experiment, made in this process without an interruption."""
    experiment = experiment_in(out, items=ITEMS)
    for member in experiment.members:
        for job in jobs_of(experiment, member):
            fake_run.make(experiment, job, 0.0)
    _, wrong = reproduce(experiment, 1)
    assert wrong == []


def kill_jobs_of(out):
    """Kills what an earlier call has left at work."""
    for child in psutil.process_iter(["cmdline"]):
        if str(out) in (child.info["cmdline"] or []):
            child.kill()


def test_it_goes_on_and_its_report_is_that_of_an_unbroken_one(tmp_path):
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    caught = set()
    for number in (1, 2, 3):
        process = begin(killed)
        caught.add(wait_for_middle(killed, number))
        process.send_signal(signal.SIGKILL)
        process.wait()
        # Jobs outlive the command; here every other time they are killed with it.
        if number != 2:
            kill_jobs_of(killed)
    assert len(caught) == 3
    last = begin(killed)
    output, _ = last.communicate(timeout=300)
    assert last.returncode == 0, output
    make_at_once(straight)
    assert told(killed) == told(straight)
    # Once all is done, nothing is run again.
    assert all(x.is_done for x in states(experiment_in(killed, items=ITEMS)).values())


def test_what_another_call_left_running_is_waited_for(tmp_path):
    first = begin(tmp_path, slots=1, seconds=120)
    run = wait_for_middle(tmp_path, 1)
    experiment = experiment_in(tmp_path, items=ITEMS)
    assert re.search(rf"^{run}: process \d+: ", status(experiment), re.MULTILINE)
    assert 0.0 < states(experiment)[run].share < 1.0
    with pytest.raises(UserError, match="is in use by another reproduce"):
        reproduce(experiment, 1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    third = begin(tmp_path, slots=1, seconds=0.1)
    assert f"{run}: another process works on it; waiting for it\n" in third.stdout
    third.send_signal(signal.SIGKILL)
    third.wait()
    kill_jobs_of(tmp_path)
