"""Several workers make the run of one; each reads its own part, the chief alone writes."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.cli.launcher import Launcher
from robgan_tf.data import training_batches
from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import LostWorkerError, UserError
from robgan_tf.reporting import read_metrics
from robgan_tf.runs.stopping import StopRequest, keeping, kept
from robgan_tf.training.cluster import Workers, workers_of_environment
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.workers import lost_workers_named
from tests.data.helpers import random_pixels
from tests.eager import eagerly
from tests.in_process import ROOT, run

TINY = pathlib.Path(__file__).parents[1] / "tiny_run" / "joint.gin"
BINDINGS = (
    "train.steps=3",
    "train.batch_size=8",
    "train.accumulation_steps=2",
    "train.log_every=1",
    "train.sample_every=3",
    "data.resolution=8",
    "data.augmentation='area_crop_flip'",
    "ResNetGenerator.widths='1; 1'",
    "ResNetDiscriminator.widths='1'",
    "final_evaluation.images=0",
)


def models_of(run_dir):
    """Weights and moving averages of the last checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / "step-3"))
    models = ("generator/", "discriminator/", "average_generator/")
    names = [x for x in reader.get_variable_to_shape_map() if x.startswith(models)]
    return {name: reader.get_tensor(name) for name in names if name.endswith("VALUE")}


def test_two_workers_make_the_run_of_one(tmp_path):
    flags = ["train", f"--gin_file={TINY}", *(f"--gin_param={x}" for x in BINDINGS)]
    launched = subprocess.run(
        [
            *(sys.executable, "-m", "robgan_tf", "launch", "--workers=2", *flags),
            *(f"--run_dir={tmp_path / 'two'}", "--gin_param=train.deterministic=True"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert launched.returncode == 0, launched.stdout + launched.stderr
    assert "[0] Replicas   2" in launched.stdout
    assert "[1] Worker 1 of 2 trains from step 1 on" in launched.stdout
    with eagerly():
        assert run(*flags, f"--run_dir={tmp_path / 'one'}").returncode == 0
    two, one = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("two", "one"))
    assert [record["step"] for record in two] == [1, 2, 3]
    for mine, theirs in zip(two, one, strict=True):
        for name in mine:
            if name.startswith("loss_"):
                assert mine[name] == pytest.approx(theirs[name], abs=1e-5), name
    two, one = (models_of(tmp_path / name) for name in ("two", "one"))
    assert set(two) == set(one) and len(two) > 30
    for name, value in two.items():
        np.testing.assert_allclose(value, one[name], atol=1e-3, err_msg=name)
    assert {x.name for x in (tmp_path / "two").iterdir()} == {
        x.name for x in (tmp_path / "one").iterdir()
    }


@pytest.mark.parametrize("augmentation", ["area_crop_flip", "pad_crop_flip"])
def test_workers_read_the_batch_of_one_between_them(augmentation):
    source = InMemorySource(random_pixels(10, 9, 9, 3), np.arange(10), ["a"], 8)
    settings = {"batch_size": 8, "updates_per_step": 2, "seed": 1, "augmentation": augmentation}
    (whole,) = training_batches(source, **settings).take(1)
    read = np.zeros([2, 8, 8, 8, 3], np.float32)
    for index in range(2):
        rows = Workers(index, 2).rows(8, accumulation_steps=2)
        (part,) = training_batches(source, **settings, rows=rows).take(1)
        np.testing.assert_array_equal(part["labels"], whole["labels"].numpy()[:, rows])
        read[:, rows] = part["images"]
    np.testing.assert_array_equal(read, whole["images"])


def test_a_worker_reads_its_part_of_each_micro_batch():
    assert Workers(1, 2).rows(8, 2).tolist() == [2, 3, 6, 7]
    assert Workers().rows(8, 2) is None


def cluster(task, **jobs):
    return json.dumps({"cluster": jobs, "task": task})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", Workers()),
        (cluster({"type": "worker", "index": 0}, worker=["a:1"]), Workers()),
        (cluster({"type": "worker", "index": 1}, worker=["a:1", "b:1"]), Workers(1, 2)),
        (
            cluster({"type": "worker", "index": 0}, chief=["c:1"], worker=["a:1", "b:1"]),
            Workers(1, 3),
        ),
    ],
)
def test_tf_config_names_the_workers(monkeypatch, config, expected):
    monkeypatch.setenv("TF_CONFIG", config)
    assert workers_of_environment() == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "TF_CONFIG cannot be read"),
        (cluster({"type": "worker", "index": 2}, worker=["a:1", "b:1"]), "task 2 of 'worker'"),
        (cluster({"type": "ps", "index": 0}, worker=["a:1", "b:1"]), "task 0 of 'ps'"),
        # Each of these trained alone, or with workers that are none.
        (cluster({"type": "worker", "index": 1}, worker=["a:1"]), "task 1 of 'worker'"),
        (cluster({"type": "ps", "index": 0}, chief=["a:1"], ps=["b:1"]), "task 0 of 'ps'"),
        (cluster({"type": "worker", "index": 1}, workers=["a:1", "b:1"]), "tasks of 'workers'"),
        (cluster({"index": 0}, worker="a:1"), "cannot be read .TypeError: 'a:1' is no list"),
        (cluster({"index": 1}, worker=["a:1", "a:1"]), "gives a:1 to 2 tasks"),
        pytest.param("[" * 100_000, "cannot be read .RecursionError", id="nested"),
        (cluster({"index": float("inf")}, worker=["a:1", "b:1"]), "cannot be read .OverflowError"),
    ],
)
def test_bad_tf_config_is_refused(monkeypatch, config, message):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match=message):
        workers_of_environment()


def test_one_device_or_too_many_replicas_are_refused_of_workers(monkeypatch):
    two = cluster({"type": "worker", "index": 0}, worker=["a:1", "b:1"])
    monkeypatch.setenv("TF_CONFIG", two)
    with pytest.raises(UserError, match="need 'mirrored'"):
        make_strategy("single_device")
    with pytest.raises(UserError, match="start more workers"):
        make_strategy("mirrored", 2)
    with pytest.raises(UserError, match="needs a new process"):
        tf.constant(1.0)
        make_strategy("mirrored")


def test_the_end_of_another_worker_is_named():
    aborted = tf.errors.UnavailableError(
        None, None, "Collective ops is aborted by: /job:worker/replica:0/task:1 stopped"
    )
    with (
        pytest.raises(LostWorkerError, match=r"^worker 0: worker 1 has ended or cannot") as lost,
        lost_workers_named(Workers(0, 2)),
        keeping("step-4 is safe"),
    ):
        raise aborted
    assert kept(lost.value) == "step-4 is safe"
    with pytest.raises(tf.errors.UnavailableError), lost_workers_named(Workers()):
        raise aborted


def test_a_stop_of_another_worker_has_its_reason_and_status():
    stop = StopRequest()
    stop.take_over(143)
    assert (stop.reason, stop.exit_status) == ("SIGTERM of another worker", 143)
    stop.take_over(75)
    assert (stop.reason, stop.exit_status) == ("--max_hours of another worker", 75)


def test_lines_of_workers_are_shown_with_their_numbers(capfd):
    assert Launcher(["configs", "--help"], 2).run() == 0
    shown = capfd.readouterr().out
    assert "[0] usage:" in shown and "[1] usage:" in shown


def test_one_that_fails_ends_the_others(tmp_path, monkeypatch, capfd):
    program = tmp_path / "worker"
    program.write_text(
        "#!/bin/sh\n"
        """case "$TF_CONFIG" in *'"index": 1'*) echo over >&2; exit 9;; esac\n"""
        "exec sleep 600\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr("robgan_tf.cli.launcher.sys.executable", str(program))
    assert Launcher(["train"], 2, grace=0.2).run() == 9
    errors = capfd.readouterr().err
    assert "[1] over" in errors and "worker 0 did not end by itself" in errors


def test_launch_starts_no_workers_within_workers(monkeypatch):
    two = cluster({"type": "worker", "index": 1}, worker=["a:1", "b:1"])
    monkeypatch.setenv("TF_CONFIG", two)
    monkeypatch.setattr(Launcher, "run", lambda _: 0)
    done = run("launch", "--workers=2", "train")
    assert done.returncode == 2
    assert "TF_CONFIG names 2 workers, and launch is done by one process" in done.stderr
