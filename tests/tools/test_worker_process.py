"""Processes of other environments: what they answer, and what is said when they end."""

import sys

import pytest

from robgan_tf.errors import UserError
from tools.benchmarks.worker_process import WorkerProcess

ECHO = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"asked": line.strip()}), flush=True)
"""


def test_each_line_has_its_answer():
    worker = WorkerProcess(sys.executable, ["-c", ECHO], "nothing")
    assert [worker.ask(line)["asked"] for line in ("one", "two")] == ["one", "two"]
    worker.close()


def test_a_worker_that_ends_says_why_however_much_it_wrote():
    # More than a pipe holds.
    program = "import sys; sys.stderr.write('x' * 200_000 + '\\n'); import no_such_package"
    worker = WorkerProcess(sys.executable, ["-c", program], "the package no_such_package")
    with pytest.raises(UserError, match=r"needs the package no_such_package .*No module named"):
        worker.answer()
    worker.close()


def test_an_interpreter_that_is_not_there():
    with pytest.raises(UserError, match="--pytorch_python=/no/python"):
        WorkerProcess("/no/python", [], "nothing")
