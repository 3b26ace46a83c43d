"""A run directory's guard; what the train command says of it: tests/commands."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from robgan_tf.cli import start as command
from robgan_tf.errors import NonFiniteError, UserError
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.runs.kept_records import refuse_change_of_the_past
from tests.in_process import ROOT

CONFIG = {"train.steps": 5, "train.seed": 0}


def opened(path, allowed=(), **changes):
    free = ["train.replicas"]
    config = {**CONFIG, **changes}
    return RunDirectory(path, config, grows="train.steps", free=free, allowed=allowed)


def record(description):
    return DataRecord(("cat", "dog"), (8, 8, 1), description, "0123")


def test_one_process_at_a_time(tmp_path):
    first = opened(tmp_path / "run")
    with pytest.raises(UserError, match="is in use by another process"):
        opened(tmp_path / "run")
    del first
    opened(tmp_path / "run")


def test_the_lock_of_a_process_that_was_killed_is_not_in_the_way(tmp_path):
    program = (
        "import sys, time; from robgan_tf.runs.directory import RunDirectory\n"
        f"run = RunDirectory({str(tmp_path / 'run')!r}, {CONFIG!r}, grows='train.steps')\n"
        "run.write_json(run.config_path, {'train.steps': 5, 'train.seed': 0})\n"
        "print('held', flush=True); time.sleep(300)"
    )
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="is in use by another process; wait for it"):
            opened(tmp_path / "run")
        other.kill()
        other.wait()
        assert (tmp_path / "run" / "lock").exists()
        opened(tmp_path / "run")


def begun(path, data, **changes):
    run = opened(path, **changes)
    run.write_config("", data)
    return run


@pytest.mark.parametrize(
    ("change", "message", "name"),
    [
        (
            {"description": "7 images"},
            "images is '1342 images' there and '7 images' here",
            None,
        ),
        ({"fingerprint": "4567"}, "data.images is '0123' there and '4567' here", None),
        (
            {"class_names": ("cat", "cow")},
            "data.class_names is cat, dog there and cat, cow here",
            "data.class_names",
        ),
    ],
)
def test_other_data_is_refused_or_let_through_and_recorded(tmp_path, change, message, name):
    before = record("1342 images")
    begun(tmp_path, before)
    stored = (tmp_path / "config.json").read_text()
    name, after = name or "data.images", dataclasses.replace(before, **change)
    with pytest.raises(UserError, match=f"{message}.*--allow_config_change={name}$"):
        opened(tmp_path).check_data(after)
    assert (tmp_path / "config.json").read_text() == stored
    assert DataRecord.read(tmp_path) == before

    run = opened(tmp_path, allowed=(name,))
    run.check_data(after)
    run.write_config("", after, step=4)
    assert DataRecord.read(tmp_path) == after
    (noted,) = json.loads((tmp_path / "config.json").read_text())["changes"]
    assert (noted["from_step"], noted["name"]) == (5, name)
    del run
    # From now on it is the data of the run.
    opened(tmp_path).check_data(after)


def test_a_run_that_did_not_keep_what_its_data_was_takes_what_there_is(tmp_path):
    assert DataRecord.read(tmp_path) is None
    begun(tmp_path, record("images"))
    (tmp_path / "data.json").unlink()
    run = opened(tmp_path)
    run.check_data(dataclasses.replace(record("images"), fingerprint="4567"))
    with pytest.raises(UserError, match="begun on other data"):
        run.check_data(record("others"))
    (tmp_path / "data.json").write_text('{"class_names": []}')
    with pytest.raises(UserError, match=r"data.json cannot be read: KeyError"):
        run.check_data(record("images"))


def test_a_change_that_is_let_through_is_recorded_with_its_step_and_no_other_is(tmp_path):
    begun(tmp_path, record("data"), **{"train.rate": 0.1, "train.kind": "a"})
    other = {"train.rate": 0.2, "train.kind": "b"}
    with pytest.raises(
        UserError, match=r"train.kind is 'a' there and 'b' here\. .*_change=train\.kind$"
    ):
        opened(tmp_path, allowed=["train.rate"], **other)
    with pytest.raises(UserError, match=r"=train\.rat: there is no such .* mean train\.rate\?"):
        opened(tmp_path, allowed=["train.rat"], **other)

    for step in (4, 6):
        run = opened(tmp_path, allowed=["train.rate", "train.kind"], **other)
        run.write_config("train.rate = 0.2\n", record("data"), step, replicas=2)
        del run
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["train.rate"] == 0.2
    assert config["changes"] == [
        {"from_step": 5, "name": "train.kind", "before": "a", "after": "b"},
        {"from_step": 5, "name": "train.rate", "before": 0.1, "after": 0.2},
    ]
    assert (tmp_path / "config.gin").read_text() == (
        "# From step 5 on: train.kind = 'b' (before: 'a')\n"
        "# From step 5 on: train.rate = 0.2 (before: 0.1)\n"
        "train.rate = 0.2\n"
    )
    # Once let through it is the run's own; the former is a change like any other.
    assert opened(tmp_path, **other).values_of("train.rate") == {0.1, 0.2}
    with pytest.raises(UserError, match=r"train.rate is 0.2 there and 0.1 here"):
        opened(tmp_path, **{**other, "train.rate": 0.1})


def test_a_change_needs_a_checkpoint_of_the_last_record(tmp_path):
    begun(tmp_path, record("data"), **{"train.rate": 0.1})
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 7}\n')
    run = opened(tmp_path, allowed=["train.rate"], **{"train.rate": 0.2})
    with pytest.raises(UserError, match=r"up to step 7, made without .* of train\.rate,"):
        refuse_change_of_the_past(run, 5)
    refuse_change_of_the_past(run, 7)
    del run
    refuse_change_of_the_past(opened(tmp_path, **{"train.rate": 0.1}), 5)


def test_the_number_of_replicas_may_change_and_is_recorded(tmp_path):
    for step, count in ((0, 2), (3, 2), (5, 1)):
        run = opened(tmp_path, **{"train.replicas": count})
        run.write_config("train.steps = 5\n", record("data"), step, count)
        del run
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["train.replicas"] == 1
    assert config["replicas (in use)"] == [
        {"from_step": 1, "count": 2},
        {"from_step": 6, "count": 1},
    ]
    assert "changes" not in config
    gin_text = (tmp_path / "config.gin").read_text()
    assert gin_text == "# From step 6 on: on 1 replica(s)\ntrain.steps = 5\n"


def test_a_run_of_a_newer_arithmetic_is_refused(tmp_path):
    def opened_as(version, **options):
        config = {**CONFIG, "numerics": version}
        return RunDirectory(tmp_path, config, "train.steps", keeps=["numerics"], **options)

    opened_as(3).write_config("", record("data"))
    with pytest.raises(UserError, match="numerics is 3 there and 2 here"):
        opened_as(2)
    opened_as(4)


def test_only_the_number_of_steps_may_grow(tmp_path):
    opened(tmp_path).write_config("", record("data"))
    opened(tmp_path, **{"train.steps": 9}).write_config("", record("data"))
    assert json.loads((tmp_path / "config.json").read_text())["train.steps"] == 9
    with pytest.raises(UserError, match=r"is 9 there and 5 here\. .*=.*/config\.gin\)"):
        opened(tmp_path)
    with pytest.raises(UserError, match=r"train\.seed is 0 there and 1 here"):
        opened(tmp_path, **{"train.steps": 9, "train.seed": 1})


def test_a_setting_that_the_run_did_not_know_has_its_default_there(tmp_path):
    opened(tmp_path).write_config("", record("data"))

    def with_new_setting(value):
        config = {**CONFIG, "train.new": value}
        RunDirectory(tmp_path, config, grows="train.steps", defaults={"train.new": "old way"})

    with_new_setting("old way")
    with pytest.raises(UserError, match=r"train\.new is 'old way' there and 'new way' here"):
        with_new_setting("new way")


def test_radii_are_shown_on_both_scales_and_an_optimizer_s_epsilon_as_it_is(tmp_path):
    radius, epsilon = "ProjectedGradientDescent.epsilon", "generator_optimizer.epsilon"
    opened(tmp_path, **{radius: 0.04, epsilon: 1e-7}).write_config("", record("data"))
    with pytest.raises(UserError, match=r"epsilon is 0\.04 \(5\.1/255.*\) there"):
        opened(tmp_path, **{radius: 0.02, epsilon: 1e-7})
    with pytest.raises(UserError, match=r"epsilon is 1e-07 there and 1e-08 here"):
        opened(tmp_path, **{radius: 0.04, epsilon: 1e-8})


def test_a_continued_run_keeps_its_own_value_of_what_it_keeps(tmp_path):
    def opened_as(version):
        config = {**CONFIG, "numerics": version}
        return RunDirectory(
            tmp_path, config, grows="train.steps", defaults={"numerics": 1}, keeps=["numerics"]
        )

    def stored():
        return json.loads((tmp_path / "config.json").read_text())

    opened(tmp_path).write_config("", record("data"))
    opened_as(2).write_config("", record("data"))
    assert stored()["numerics"] == 1
    (tmp_path / "config.json").write_text(json.dumps({**stored(), "numerics": 2}))
    opened_as(3).write_config("", record("data"))
    assert stored()["numerics"] == 2


def test_damaged_config_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json cannot be read"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (UserError("what was wrong"), 2, "error: what was wrong\n"),
        (NonFiniteError("step 3: a loss"), 3, "nothing of this step is saved: step 3: a loss"),
    ],
)
def test_how_a_command_ends(capsys, error, status, text):
    def main():
        raise error

    assert command.finish(main) == status
    assert text in capsys.readouterr().err


def test_what_dead_processes_were_writing_is_removed(tmp_path):
    opened(tmp_path / "run").write_config("", record("data"))
    (tmp_path / "run" / "samples").mkdir()
    dead = 2**22 + 1  # Above the highest number of a process.
    left = [".config.json", "samples/.step_00000010.png", "samples/.checkpoint"]
    for name in left:
        (tmp_path / "run" / f"{name}.{dead}").write_text("half")
    kept = [
        f".config.json.{os.getpid()}",
        ".mine",
        ".notes.txt",
        f".notes.{dead}",
        f"samples/{dead}.png",
    ]
    for name in kept:
        (tmp_path / "run" / name).write_text("mine")
    opened(tmp_path / "run")
    assert not any((tmp_path / "run" / f"{name}.{dead}").exists() for name in left)
    assert all((tmp_path / "run" / name).exists() for name in kept)


def test_a_run_that_was_killed_before_its_config_json_was_there_begins_again(tmp_path, monkeypatch):
    run = opened(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(run, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run.write_config("", record("data"))
    del run
    left = [f".{name}.json.{2**22 + 1}" for name in ("config", "data")]
    for name in left:
        (tmp_path / name).write_text("half")
    opened(tmp_path).write_config("", record("data"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.gin", "config.json", "data.json", "lock",
    ]  # fmt: skip
