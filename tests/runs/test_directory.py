"""A run directory's guard; what the train command says of it: tests/commands."""

import dataclasses
import json
import os

import pytest

from robgan_tf.cli import start as command
from robgan_tf.errors import NonFiniteError, UserError
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.runs.directory import RunDirectory

CONFIG = {"train.steps": 5, "train.seed": 0}


def opened(path, **changes):
    return RunDirectory(path, {**CONFIG, **changes}, grows="train.steps")


def record(description):
    return DataRecord(("cat", "dog"), (8, 8, 1), description, "0123")


def test_one_process_at_a_time(tmp_path):
    first = opened(tmp_path / "run")
    with pytest.raises(UserError, match="is in use by another process"):
        opened(tmp_path / "run")
    del first
    opened(tmp_path / "run")


def test_other_data_is_refused_and_the_stored_description_stays(tmp_path):
    opened(tmp_path).write_config("", record("1342 images"))
    with pytest.raises(UserError, match="begun on other data: '1342 images' there and '7 images'"):
        opened(tmp_path).write_config("", record("7 images"))
    assert "1342 images" in (tmp_path / "config.json").read_text()


def test_what_a_run_says_of_its_data_is_of_its_first_start(tmp_path):
    assert DataRecord.read(tmp_path) is None
    opened(tmp_path).write_config("", record("images"))
    assert DataRecord.read(tmp_path) == record("images")
    opened(tmp_path).write_config("", dataclasses.replace(record("images"), fingerprint="4567"))
    assert DataRecord.read(tmp_path) == record("images")
    (tmp_path / "data.json").write_text('{"class_names": []}')
    with pytest.raises(UserError, match=r"data.json cannot be read: KeyError"):
        DataRecord.read(tmp_path)


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
    left = [".config.json", "samples/.step_00000010.png"]
    for name in left:
        (tmp_path / "run" / f"{name}.{dead}").write_text("half")
    kept = [f".config.json.{os.getpid()}", ".mine", ".notes.txt", f"samples/{dead}.png"]
    for name in kept:
        (tmp_path / "run" / name).write_text("mine")
    opened(tmp_path / "run")
    assert not list((tmp_path / "run").rglob(f".*.{dead}"))
    assert all((tmp_path / "run" / name).exists() for name in kept)
