"""Command lines to copy: started as this process was, with all that was given."""

import os
import shlex
import sys

import pytest

from robgan_tf.cli.follow_up import command_line, continuation, given_again
from robgan_tf.train import COMMAND


@pytest.fixture
def started_by_python(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/robgan_tf/train.py"])


def test_python_is_found_from_where_the_command_was_run(started_by_python, tmp_path, monkeypatch):
    for folder in (tmp_path, os.path.dirname(sys.executable)):
        monkeypatch.chdir(folder)
        python, *words = shlex.split(command_line("evaluate", "gap", "--run_dir=a b"))
        assert os.path.samefile(python, sys.executable) and os.sep in python
        assert words == ["-m", "robgan_tf.evaluate", "gap", "--run_dir=a b"]


def test_the_script_names_itself(tmp_path, monkeypatch):
    script = tmp_path / "bin" / "robgan-tf"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line("train", "--dry_run") == f"{script} train --dry_run"
    monkeypatch.setenv("PATH", str(script.parent))
    assert command_line("train", "--dry_run") == "robgan-tf train --dry_run"


def test_a_run_is_continued_with_all_that_was_given(started_by_python):
    words = ["-gin_file", "a.gin", "--gin_param=train.steps = 4", "--gin_param=train.seed=1"]
    given = COMMAND.parser().read([*words, "--data_dir", "my data", "--warm_start=x", "-v=1"])
    line = shlex.split(continuation("train", given, "train.steps", 8))
    assert line[3:] == [
        "--gin_file=a.gin",
        "--gin_param=train.seed=1",
        "--data_dir=my data",
        "--warm_start=x",
        "--verbosity=1",
        "--gin_param=train.steps=8",
        "--run_dir=runs/a",
    ]
    assert given_again(given, "data_dir", "features") == ["--data_dir=my data"]
