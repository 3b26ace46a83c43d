"""The number of cores an operation gets: timed in processes of their own, and kept."""

import json
import time

import pytest

from robgan_tf.cli.parser import Values
from robgan_tf.cli.thread_choice import chosen_threads
from robgan_tf.config.joint import TrainSettings
from robgan_tf.errors import NonFiniteError, UserError
from robgan_tf.training import threads
from tests.cli.timed_in_another_process import SECONDS, timed


@pytest.fixture(autouse=True)
def _several_cores(monkeypatch):
    monkeypatch.setattr(threads, "no_choice", lambda: None)


def choose(case, folder, wanted="auto", dry_run=False, deterministic=False, deadline=None):
    given = Values(case=case, dry_run=dry_run)
    settings = TrainSettings(steps=1, threads=wanted, deterministic=deterministic)
    return chosen_threads(given, settings, str(folder), timed, deadline)


@pytest.mark.parametrize(
    ("case", "chosen"),
    [
        ("slower", "tensorflow"),
        ("faster", "one_per_operation"),
        ("hardly faster", "tensorflow"),
    ],
)
def test_what_is_faster_is_chosen(case, chosen, tmp_path, capsys):
    assert choose(case, tmp_path) == chosen
    all_cores, one_core = SECONDS[case]
    told = capsys.readouterr().out.splitlines()[-1]
    assert repr(chosen) in told and f"{all_cores:g} s a step" in told and f"{one_core:g} s" in told


@pytest.mark.parametrize("stored", ["tensorflow", "one_per_operation"])
def test_a_run_goes_on_as_it_was_begun(stored, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"train.threads": stored}))
    assert choose("nothing is timed", tmp_path) == stored


def test_a_run_of_before_there_was_a_choice(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"train.steps": 4}))
    assert choose("nothing is timed", tmp_path) == "tensorflow"


def test_what_is_bound_or_only_planned_is_not_timed(tmp_path):
    assert choose("nothing is timed", tmp_path, "one_per_operation") == "one_per_operation"
    assert choose("nothing is timed", tmp_path, dry_run=True) == "auto"


def test_where_there_is_no_choice_nothing_is_timed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(threads, "no_choice", lambda: "there is a GPU")
    assert choose("nothing is timed", tmp_path) == "tensorflow"
    assert "'tensorflow', not timed: there is a GPU" in capsys.readouterr().out


def test_the_same_bits_every_time_leave_no_choice(tmp_path):
    with pytest.raises(UserError, match=r"threads = 'auto' with train\.deterministic = True"):
        choose("nothing is timed", tmp_path, deterministic=True)
    assert choose("no", tmp_path, "tensorflow", deterministic=True) == "tensorflow"


def test_no_longer_than_the_command_has(tmp_path, capsys):
    begun = time.monotonic()
    assert choose("for ever", tmp_path, deadline=begun + 0.5) == "tensorflow"
    assert "--max_hours is over" in capsys.readouterr().out
    assert time.monotonic() - begun < 60.0


@pytest.mark.parametrize(("case", "kind"), [("refused", UserError), ("diverged", NonFiniteError)])
def test_what_ends_the_other_process_ends_this_one(case, kind, tmp_path):
    with pytest.raises(kind, match=f"it was {case}"):
        choose(case, tmp_path)


def test_another_process_that_dies_is_no_measurement(tmp_path):
    with pytest.raises(UserError, match="timed a step ended with 9; bind 'tensorflow' or 'one_per"):
        choose("killed", tmp_path)
