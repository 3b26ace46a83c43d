"""What there is of a run: missing, k %, done, recorded; and the plan that shows it."""

import json

import pytest

from robgan_tf.comparison.record import write_record
from robgan_tf.errors import UserError
from robgan_tf.reproduction.jobs import jobs_of
from robgan_tf.reproduction.plan import commands, plan
from robgan_tf.reproduction.state import states
from tests.reproduction import fake_run


def line_of(text, label):
    return next(line for line in text.splitlines() if line.startswith(f"| {label} |"))


@pytest.fixture
def experiment(tmp_path):
    return fake_run.experiment_in(tmp_path)


def run_named(experiment, label):
    return next(x for x in experiment.members if x.label == label)


def make(experiment, label, evaluated=True):
    """A finished run, and its evaluations."""
    for job in jobs_of(experiment, run_named(experiment, label)):
        if evaluated or job.kind == "training":
            fake_run.make(experiment, job, 0.0)


def test_missing_begun_trained_and_done(experiment):
    found = states(experiment)
    assert {state.shown for state in found.values()} == {"missing"}
    text = plan(experiment, found)
    assert "table 1, figure 2, figure 6, figure 7, figure 8 on digits, scale smoke" in text
    assert "No speed is known yet" in text and line_of(text, "gan_0").count("not known") == 1
    make(experiment, "gan_0")
    make(experiment, "at_0", evaluated=False)
    metrics = experiment.run_dir(run_named(experiment, "at_longer_0")) / "metrics.jsonl"
    metrics.parent.mkdir(parents=True)
    metrics.write_text('{"step": 100, "time/training_seconds": 50.0}\n')
    found = states(experiment)
    text = plan(experiment, found)
    assert "| 120 | done | - | 0 MB |" in line_of(text, "gan_0")
    assert "| trained, 3 evaluations missing |" in line_of(text, "at_0")
    # 300 steps of half a second each are left; of evaluations no time is known.
    assert "| 400 | 25% | not known |" in line_of(text, "at_longer_0")
    typed = commands(found)
    assert "runs/gan_0 --attack" not in typed and "runs/rob_gan_0 --attack" in typed
    assert typed.count("robgan-tf evaluate robustness") == 3 + 3 + 2
    assert "--gan_run_dir=" in next(x for x in typed.splitlines() if "rob_gan.gin" in x)


def test_a_run_of_other_settings_is_never_taken_for_this_one(experiment):
    make(experiment, "gan_0")
    path = experiment.run_dir(run_named(experiment, "gan_0")) / "config.json"
    config = json.loads(path.read_text())
    for change, named in (
        ({"AdversarialLoss.form": "ac_gan"}, "AdversarialLoss.form"),
        ({"train.seed": 3}, "the seed"),
    ):
        path.write_text(json.dumps(config | change))
        with pytest.raises(UserError, match=rf"gan_0 holds a run of other settings \({named}\)"):
            states(experiment)
    # What only measures is no other run.
    path.write_text(json.dumps(config | {"gap.every": 7, "train.log_every": 3}))
    assert states(experiment)["gan_0"].is_done


def test_time_left_is_that_of_the_measured_speed(experiment):
    label = "split_none_0"
    metrics = experiment.run_dir(run_named(experiment, label)) / "metrics.jsonl"
    metrics.parent.mkdir(parents=True)
    metrics.write_text('{"step": 25, "time/training_seconds": 50.0}\n')
    assert "| 100 | 25% | 0:02:30 |" in line_of(plan(experiment, states(experiment)), label)


def test_committed_records_count_where_the_settings_are_the_same(experiment, tmp_path):
    small = fake_run.experiment_in(tmp_path / "small", "small", tmp_path / "committed")
    member = run_named(small, "split_none_1")
    fake_run.train(small, member, 0.0)
    folder = tmp_path / "committed" / member.plan.record
    path = write_record(small.run_dir(member), folder)
    elsewhere = fake_run.experiment_in(tmp_path / "elsewhere", "small", tmp_path / "committed")
    found = states(elsewhere)[member.label]
    assert (found.shown, found.record, found.is_done) == ("recorded", path, True)
    recorded = json.loads(path.read_text())
    for change, said in (
        ({"ResNetDiscriminator.base_width": 32}, "differs in ResNetDiscriminator.base_width"),
        ({"train.seed": 1, "gap.every": 7, "data (found)": "x"}, ""),
    ):
        changed = {**recorded, "config": {**recorded["config"], **change}}
        path.write_text(json.dumps(changed))
        assert said in states(elsewhere)[member.label].why_not
        assert states(elsewhere)[member.label].is_done == (not said)
    path.write_text(json.dumps({**recorded, "last_step": 10, "curves": {"step": [10]}}))
    assert "ends at step 10" in states(elsewhere)[member.label].why_not


def test_a_record_is_no_run_to_start_from(tmp_path):
    small = fake_run.experiment_in(tmp_path / "small", "small", tmp_path / "committed")
    member = run_named(small, "gan_0")
    for job in jobs_of(small, member):
        fake_run.make(small, job, 0.0)
    write_record(small.run_dir(member), tmp_path / "committed" / member.plan.record)
    elsewhere = fake_run.experiment_in(tmp_path / "elsewhere", "small", tmp_path / "committed")
    found = states(elsewhere)
    assert [job.name for job in found["gan_0"].missing] == ["gan_0"]
    # Where the run is there as well, nothing of it is missing.
    assert states(small)["gan_0"].missing == ()


def test_every_description_of_an_experiment_makes_configurations():
    from robgan_tf.config import shipped
    from robgan_tf.reproduction.experiment import open_experiment

    files = sorted((shipped.ROOT / "gin" / "reproduce").glob("*.gin"))
    assert len(files) >= 4
    for file in files:
        dataset, scale = file.stem.rsplit("_", 1)
        items = ("table_1",) if dataset == "imagenet143" else fake_run.ITEMS
        experiment = open_experiment(items, dataset, scale, file.parent / "nowhere")
        for member in experiment.members:
            config = experiment.config_of(member)
            assert config.stage.seed == member.seed
            if member.plan.gan:
                gan = experiment.config_of(experiment.gan_of(member))
                assert gan.discriminator == config.discriminator and gan.data.dataset
