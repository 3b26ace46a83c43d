"""The train command as a user runs it: continuing, refusing, finishing."""

import json
import shlex
import signal

import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.reporting import read_metrics
from robgan_tf.serving.export_run import export_parts
from robgan_tf.stages.finished import open_run
from robgan_tf.stages.joint_task import JointTask
from tests import in_process, kept_steps, tiny
from tests.eager import eagerly
from tests.in_process import deterministic, stop_at
from tests.signals import signal_at

# Enough that a signal sent after the first step arrives well before the last.
STEPS = 40


# A block of each network less than elsewhere: less to compile.
SMALLER = (
    "data.resolution = 8", "ResNetGenerator.widths = '2; 1'", "ResNetDiscriminator.widths = '1'",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def kept():
    with kept_steps.kept():
        yield


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("gin") / "tiny.gin"
    extra = (f"train.steps = {STEPS}", "train.log_every = 1", "train.sample_every = 15")
    extra += ("train.checkpoint_every = 1000",)
    extra += ("quality.every = 20", "quality.images = 40", "quality.real_images = 100")
    extra += ("final_evaluation.images = 50", "final_evaluation.attack_steps = 2")
    path.write_text("\n".join([*tiny.BINDINGS, *SMALLER, *extra]) + "\n")
    return path


def train(gin_file, run_dir, *arguments):
    return in_process.run("train", *places(gin_file, run_dir), *arguments)


def places(gin_file, run_dir):
    return f"--gin_file={gin_file}", f"--run_dir={run_dir}"


@pytest.fixture(scope="module")
def finished(gin_file, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "finished"
    process = train(gin_file, run_dir)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("Compiling the first step") == 1
    return run_dir, process.stdout


def test_a_run_leaves_what_it_promises(finished):
    run_dir, output = finished
    records = read_metrics(run_dir / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(1, STEPS + 1))
    assert any("loss" in name for name in records[-1])
    measured = [record["step"] for record in records if "fid/pixels-area8/train100-40" in record]
    assert measured == [20, 40]
    seconds = [record["time/training_seconds"] for record in records]
    assert seconds == sorted(seconds) and seconds[-1] > seconds[0] >= 0.0
    for kind in ("samples", "attacks"):
        assert [path.name for path in sorted((run_dir / kind).iterdir())] == [
            "step_00000015.png",
            "step_00000030.png",
            "step_00000040.png",
        ]
        assert f"{kind}/step_00000040.png" in output
    assert (run_dir / "checkpoints" / "step-40.index").exists()
    assert list((run_dir / "tensorboard").iterdir())
    assert json.loads((run_dir / "config.json").read_text())["train.steps"] == STEPS
    assert "PGD, 2 steps of 0.05, radius 0.1 (12.75/255), random start" in output
    assert "on 50 test images" in output
    following = shlex.split(output.split("Next: train longer with\n")[1].splitlines()[0])
    assert f"--gin_param=train.steps={2 * STEPS}" in following
    assert f"--run_dir={run_dir}" in following


def test_a_finished_run_again_adds_nothing(gin_file, finished):
    run_dir, _ = finished

    def state():
        return {
            str(path): path.read_bytes() for path in sorted(run_dir.rglob("*")) if path.is_file()
        }

    before = state()
    process = train(gin_file, run_dir)
    assert process.returncode == 0
    assert f"Finished at step {STEPS}" in process.stdout
    assert "Compiling" not in process.stdout
    assert state() == before


def test_three_sessions_make_the_run_of_one(gin_file, finished, tmp_path):
    """The first ends, the second is what it prints as next, by Ctrl-C; the third goes on."""
    straight, _ = finished
    run_dir, half = tmp_path / "a run", STEPS // 2
    process = train(gin_file, run_dir, "--data_dir=no data", f"--gin_param=train.steps={half}")
    assert process.returncode == 0, process.stderr
    # As if the run had been begun before this setting existed.
    config = json.loads((run_dir / "config.json").read_text())
    del config["train.precision"]
    (run_dir / "config.json").write_text(json.dumps(config))

    following = shlex.split(process.stdout.split("Next: train longer with\n")[1])
    assert f"--gin_param=train.steps={STEPS}" in following and "--data_dir=no data" in following
    process = in_process.start_line(following)
    output, errors = stop_at(process, run_dir / "metrics.jsonl", half + 1, signal.SIGINT)
    assert process.returncode == 130
    assert f"continued from step {half}" in output and "Stopped by SIGINT and saved" in output
    # None of TensorFlow's notes, of which loading it makes six lines.
    assert errors in (
        "",
        "SIGINT: the call under way is finished first; another signal leaves at once\n",
    )
    stopped_at = len(read_metrics(run_dir / "metrics.jsonl"))
    assert half < stopped_at < STEPS

    process = train(gin_file, run_dir)
    assert process.returncode == 0, process.stderr
    assert f"continued from step {stopped_at}" in process.stdout
    assert deterministic(run_dir) == deterministic(straight)
    # The first session ended with pictures of its last step.
    ours, theirs = (
        [(tag, step) for tag, step in in_process.points(run) if tag not in ("samples", "attacks")]
        for run in (run_dir, straight)
    )
    assert ours == theirs
    assert json.loads((run_dir / "config.json").read_text())["train.steps"] == STEPS


def changed(gin_file, run_dir, *bindings, allow=()):
    """A session of a few steps."""
    bindings = ("final_evaluation.images = 20", "quality.images = 20", *bindings)
    arguments = [f"--gin_param={binding}" for binding in bindings]
    return train(gin_file, run_dir, *arguments, f"--allow_config_change={','.join(allow)}")


@pytest.mark.parametrize(
    ("function", "kept"),
    [
        (
            "robgan_tf.stages.stage.load_image_data",
            "nothing was changed; the same command begins or continues the run",
        ),
        (
            "robgan_tf.watching.final_evaluation.accuracy_under_attack",
            "trained and saved as {run}/checkpoints/step-1; the same command measures the rest",
        ),
    ],
    ids=["before training", "final evaluation"],
)
def test_a_signal_before_and_after_training(gin_file, tmp_path, function, kept):
    run = tmp_path / "run"
    with signal_at(function, 1, signal.SIGTERM):
        process = changed(gin_file, run, "train.steps = 1")
    assert process.returncode == 143
    assert process.stderr == f"stopped by SIGTERM: {kept.format(run=run)}\n"
    process = changed(gin_file, run, "train.steps = 1")
    assert process.returncode == 0, process.stderr
    assert "on 20 test images" in process.stdout


def test_an_allocation_that_fails_is_one_line_and_the_run_goes_on(gin_file, tmp_path, monkeypatch):
    run, bindings = tmp_path / "run", ("train.steps = 3", "train.checkpoint_every = 1")
    train_step = JointTask.train_step

    def failing(task, batch, step):
        if int(step) == 2:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return train_step(task, batch, step)

    monkeypatch.setattr(JointTask, "train_step", failing)
    process = changed(gin_file, run, *bindings)
    monkeypatch.undo()
    assert process.returncode == 5
    assert process.stderr == (
        "stopped: out of memory (OOM when allocating tensor). Once that is "
        f"mended: the newest checkpoint is {run}/checkpoints/step-1; the same command continues "
        "from it\n"
    )
    process = changed(gin_file, run, *bindings)
    assert process.returncode == 0 and "continued from step 1" in process.stdout


def test_a_run_out_of_time_saves_says_so_and_is_continued(gin_file, tmp_path):
    run = tmp_path / "run"
    for step in (1, 2):
        process = train(gin_file, run, "--max_hours=1e-9", "--gin_param=train.steps=2")
        assert process.returncode == 75, process.stderr
        saved = run / "checkpoints" / f"step-{step}"
        assert f"Stopped by --max_hours and saved {saved}; the same" in process.stdout
    # Training is over; only what is left to measure is done.
    process = train(gin_file, run, "--max_hours=1e-9", "--gin_param=train.steps=2")
    assert process.returncode == 0 and "Finished at step 2" in process.stdout
    assert (run / "evaluations" / "step_00000002.json").exists()


def test_two_replicas_see_the_same_batches(gin_file, tmp_path):
    # Logical devices and threads are set up once a process. The whole recipe and in float64:
    # tests/training/test_replicas.py.
    small = (
        "train.steps = 2", "train.discriminator_updates = 1", "final_evaluation.images = 0",
        "quality.every = 0", "ProjectedGradientDescent.steps = 1",
    )  # fmt: skip
    arguments = [f"--gin_param={binding}" for binding in small]
    shared = ("--gin_param=train.replicas=2", "--gin_param=train.threads='one_per_operation'")
    process = in_process.start("train", *places(gin_file, tmp_path / "two"), *arguments, *shared)
    with eagerly():
        tf.config.list_logical_devices()  # From here on this process has used TensorFlow.
        alone = train(gin_file, tmp_path / "one", *arguments, "--gin_param=train.threads='auto'")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Replicas   2 (CPU:0" in output
    assert alone.returncode == 0 and "Replicas   1 (CPU:0" in alone.stdout, alone.stderr
    # What "auto" comes to is what the run keeps.
    assert "Threads    'tensorflow', not timed: " in alone.stdout
    config = json.loads((tmp_path / "one" / "config.json").read_text())
    assert config["train.threads"] == "tensorflow"
    ones, twos = (
        [{name: x for name, x in record.items() if "loss" in name} for record in records]
        for records in (deterministic(tmp_path / "one"), deterministic(tmp_path / "two"))
    )
    assert len(ones) == len(twos) == 2 and len(twos[0]) > 3
    for one, two in zip(ones, twos, strict=True):
        assert one == pytest.approx(two, rel=1e-5, abs=1e-5)
    # On one it goes on as if it had been there from the beginning, to rounding.
    with eagerly():
        for place in ("one", "two"):
            process = train(gin_file, tmp_path / place, *arguments, "--gin_param=train.steps=3")
            assert process.returncode == 0, process.stderr
    one, two = (deterministic(tmp_path / place)[-1] for place in ("one", "two"))
    assert one["step"] == two["step"] == 3
    for name in (name for name in one if "loss" in name):
        assert one[name] == pytest.approx(two[name], rel=1e-4, abs=1e-4)
    config = json.loads((tmp_path / "two" / "config.json").read_text())
    assert config["replicas (in use)"] == [
        {"from_step": 1, "count": 2},
        {"from_step": 3, "count": 1},
    ]


def test_a_change_of_the_configuration_is_let_through_by_name_and_recorded(gin_file, tmp_path):
    run = tmp_path / "run"
    assert changed(gin_file, run, "train.steps = 1").returncode == 0
    wider = ("train.steps = 2", "alarms.worsening = 3.0", "ResNetGenerator.latent_size = 8")
    names = ("alarms.worsening", "ResNetGenerator.latent_size")

    def state():
        return {x.name: x.read_bytes() for x in run.iterdir() if x.is_file()}

    before = state()
    process = changed(gin_file, run, *wider)
    assert process.returncode == 2
    assert "alarms.worsening is 2.0 there and 3.0 here" in process.stderr
    assert "latent_size is 16 there and 8 here" in process.stderr
    # What the checkpoint does not fit is refused by it, and the run is as it was.
    process = changed(gin_file, run, *wider, allow=names)
    assert process.returncode == 2 and "step-1 cannot be restored" in process.stderr
    assert state() == before
    process = changed(gin_file, run, *wider[:2], allow=names)
    assert process.returncode == 0, process.stderr
    recorded = (run / "config.gin").read_text()
    assert "# From step 2 on: alarms.worsening = 3.0 (before: 2.0)" in recorded
    # Its models are read as ever.
    assert open_run(run).config.alarms.worsening == 3.0
    assert changed(gin_file, run, *wider[:2]).returncode == 0


def test_warm_start_takes_weights_only(gin_file, finished, tmp_path):
    straight, _ = finished
    process = train(
        gin_file,
        tmp_path / "warm",
        f"--warm_start={straight}",
        "--gin_param=train.steps=1",
        "--gin_param=final_evaluation.images=0",
    )
    assert process.returncode == 0, process.stderr
    assert "optimizers and steps start anew" in process.stdout
    assert train(gin_file, tmp_path / "warm").returncode == 2
    warm, cold = deterministic(tmp_path / "warm")[0], deterministic(straight)[0]
    assert warm["step"] == 1
    assert warm["loss_discriminator/total"] != cold["loss_discriminator/total"]


def test_dry_run_prints_and_writes_nothing(gin_file, tmp_path):
    process = train(gin_file, tmp_path / "dry", "--dry_run")
    assert process.returncode == 0, process.stderr
    assert not (tmp_path / "dry").exists()
    for expected in ("train.batch_size = 8", "block_1", "total", "images [2, 8, 8, 8, 1]"):
        assert expected in process.stdout


def test_an_alarm_warns_saves_and_stops_where_that_is_asked(gin_file, tmp_path):
    # No class of G differs five times as much as real ones.
    bindings = ("alarms.stop = True", "alarms.from_step = 0", "alarms.diversity = 5.0")
    bindings += ("quality.best = 'fid'", "train.log_every = 10", "train.sample_every = 1000")
    arguments = [f"--gin_param={binding}" for binding in bindings]
    for step in (20, 40):
        process = train(gin_file, tmp_path / "run", *arguments)
        assert process.returncode == 4, process.stderr
        warning = f"WARNING at step {step}: the images of one class of G differ"
        assert warning in process.stdout
        assert f"stopped by an alarm and saved: step {step}: " in process.stderr.splitlines()[-1]
        assert (tmp_path / "run" / "checkpoints" / f"step-{step}.index").exists()
    texts = [
        (value.tag, value.tensor.string_val[0].decode())
        for file in sorted((tmp_path / "run" / "tensorboard").iterdir())
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "alarm/diversity" and value.tensor.string_val
    ]
    assert len(texts) == 2 and "differ" in texts[0][1]
    records = {record["step"]: record for record in read_metrics(tmp_path / "run/metrics.jsonl")}
    assert [step for step, record in records.items() if "alarm/diversity" in record] == [20, 40]
    # The second session counts on from the first one's seconds.
    assert records[30]["time/training_seconds"] >= records[20]["time/training_seconds"] > 0.0
    name = "fid/pixels-area8/train100-40"
    best = min((20, 40), key=lambda step: records[step][name])
    assert (tmp_path / "run" / "best_checkpoint" / f"step-{best}.index").exists()
    assert open_run(tmp_path / "run", "best").step == best


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("projection", "ResNetDiscriminator.head = 'projection'"),
        ("without_classes", "ResNetDiscriminator.head = 'none'"),
    ],
)
def test_baselines_without_a_class_head_train_and_are_exported(
    gin_file, tmp_path, overlay, message
):
    # The projection head is compiled here and nowhere else.
    with eagerly(overlay == "without_classes"):
        process = train(
            gin_file, tmp_path / "run", f"--gin_file=gin/baselines/{overlay}.gin",
            "--gin_param=train.steps=2", "--gin_param=train.generator_batch_size=12",
        )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "(12 in the G update)" in process.stdout
    (record,) = [x for x in read_metrics(tmp_path / "run/metrics.jsonl") if x["step"] == 2]
    assert "loss_discriminator/real_source" in record
    assert not [name for name in record if "class" in name and name.startswith("accuracy")]
    assert "classifier" not in process.stdout
    run = open_run(tmp_path / "run")
    paths = export_parts(run, tuple("0123456789"), tmp_path / "exports")
    assert list(paths) == ["generator"]
    generate = tf.saved_model.load(str(paths["generator"])).signatures["sample"]
    classes = 10 if overlay == "projection" else 1
    images = generate(
        labels=tf.constant([classes - 1], tf.int64),
        seed=tf.constant([1], tf.int64),
        truncation=tf.constant([2.0]),
    )
    assert images["images"].shape == (1, 8, 8, 1)
    assert run.load_generator().num_classes == (10 if overlay == "projection" else 0)
    with pytest.raises(UserError, match=message):
        run.load_classifier()
