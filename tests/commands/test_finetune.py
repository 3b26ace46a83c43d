"""The finetune command as a user runs it: both stages, baselines, continuing, bad input."""

import json
import shlex
import shutil
import signal

import numpy as np
import pytest

from robgan_tf.keras_versions import variable_path
from robgan_tf.reporting import MetricsFile, read_metrics
from robgan_tf.stages.finished import open_run
from tests import kept_steps, made_run, tiny
from tests.eager import eagerly
from tests.in_process import deterministic, points, run, start

STEPS = 30
# The least network that has a block, for runs from fresh weights.
SMALLEST = ("data.resolution = 8", "ResNetDiscriminator.widths = '1'")
OVERLAY = (
    f"finetune.steps = {STEPS}",
    "finetune.batch_size = 16",
    "finetune.log_every = 1",
    "finetune.picture_every = 20",
    "finetune.checkpoint_every = 10",
    "gap.every = 10",
    "gap.images = 30",
    "final_evaluation.images = 50",
    "final_evaluation.attack_steps = 2",
    "ProjectedGradientDescent.epsilon = 0.1",
    "ProjectedGradientDescent.steps = 2",
    "ProjectedGradientDescent.step_size = 0.05",
    "ProjectedGradientDescent.random_start = True",
)


def weights(run_dir, checkpoint="last"):
    model = open_run(run_dir, checkpoint).load_classifier()
    return {variable_path(variable): np.array(variable) for variable in model.variables}


@pytest.fixture(scope="module", autouse=True)
def kept():
    with kept_steps.kept():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.gin").write_text("\n".join(tiny.BINDINGS) + "\n")
    (folder / "finetune.gin").write_text("\n".join(OVERLAY) + "\n")
    return folder


@pytest.fixture(scope="module")
def gan(folder, trained):
    return shutil.copytree(trained, folder / "gan")


def arguments(folder, gan, run_dir, *more):
    return [
        f"--gin_file={folder / 'finetune.gin'}", f"--gan_run_dir={gan}", f"--run_dir={run_dir}",
        *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def finished(folder, gan):
    process = run("finetune", *arguments(folder, gan, folder / "finished"))
    assert process.returncode == 0, process.stderr
    return folder / "finished", process.stdout


def from_scratch(folder, run_dir, *bindings):
    scratch = ("finetune.start = 'scratch'", "finetune.generated_share = 0.0")
    bindings = (*scratch, *SMALLEST, *bindings)
    return run(
        "finetune", f"--gin_file={folder / 'tiny.gin'}", f"--gin_file={folder / 'finetune.gin'}",
        f"--run_dir={run_dir}", *(f"--gin_param={binding}" for binding in bindings),
    )  # fmt: skip


def test_fine_tuning_leaves_what_it_promises(finished, gan):
    run_dir, output = finished
    records = read_metrics(run_dir / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(1, STEPS + 1))
    measured = [record["step"] for record in records if "gap/test_attacked" in record]
    assert measured == [10, 20, 30]
    assert "Start      discriminator, D of gan at step 2000" in output
    assert "batch 8 real and 8 generated images of weight 0.5" in output
    lines = (run_dir / "gap.csv").read_text().splitlines()
    assert len(lines) == 4 and "gap/validation_lipschitz" in lines[0]
    assert (run_dir / "gap.png").stat().st_size > 10_000
    best = max(records, key=lambda record: record.get("gap/validation_attacked", -1.0))
    assert f"best          step {best['step']}: {best['gap/validation_attacked']:.1%}" in output
    assert open_run(run_dir, "best").step == best["step"]
    config = json.loads((run_dir / "config.json").read_text())
    assert config["data.dataset"] == "digits"
    assert config["--gan_run_dir"].startswith("gan at step 2000 (")


def test_all_of_d_moves_but_its_source_head(finished, gan):
    before, after = weights(gan), weights(finished[0])
    for path, value in before.items():
        moved = not np.array_equal(value, after[path])
        assert moved == ("source_head" not in path), path


def test_a_signal_saves_and_the_same_command_continues_exactly(
    folder, gan, finished, tmp_path, monkeypatch
):
    run_dir = tmp_path / "stopped"
    write = MetricsFile.write

    def write_and_terminate(file, step, values):
        write(file, step, values)
        if step == 12:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(MetricsFile, "write", write_and_terminate)
        stopped = run("finetune", *arguments(folder, gan, run_dir))
    assert stopped.returncode == 128 + signal.SIGTERM
    assert len(read_metrics(run_dir / "metrics.jsonl")) == 12
    continued = run("finetune", *arguments(folder, gan, run_dir))
    assert continued.returncode == 0, continued.stderr
    assert deterministic(run_dir) == deterministic(finished[0])
    assert points(run_dir) == points(finished[0])
    for checkpoint in ("last", "best"):
        straight = weights(finished[0], checkpoint)
        for path, value in weights(run_dir, checkpoint).items():
            np.testing.assert_array_equal(value, straight[path])


def test_the_gap_on_demand_is_that_of_training(finished):
    run_dir, _ = finished
    process = run("evaluate", "gap", f"--run_dir={run_dir}", "--images=30")
    assert process.returncode == 0, process.stderr
    # The name says what was asked: no other number of images replaces it.
    on_demand = (run_dir / "evaluations" / "gap_30_images.csv").read_text().splitlines()
    assert on_demand == (run_dir / "gap.csv").read_text().splitlines()
    assert (run_dir / "evaluations" / "gap_30_images.png").exists()


def test_robustness_of_the_best_checkpoint(finished):
    run_dir, _ = finished
    process = run(
        "evaluate", "robustness", f"--run_dir={run_dir}", "--checkpoint=best", "--images=40",
        "--epsilons=0.04", "--nomasking",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    step = open_run(run_dir, "best").step
    assert f"| finished, best {step} |" in process.stdout


def test_adversarial_training_needs_no_generator(folder, tmp_path, eagerly):
    bindings = ("finetune.steps = 2", "gap.every = 2", "finetune.average_decay = 0.9")
    process = from_scratch(folder, tmp_path / "at", *bindings, "final_evaluation.images = 0")
    assert process.returncode == 0, process.stderr
    assert "Start      discriminator, fresh weights" in process.stdout
    assert "Generated" not in process.stdout
    # The average is what is measured, kept as the best and loaded.
    run_dir = tmp_path / "at"
    assert open_run(run_dir).model_name == "average_classifier"
    measured = read_metrics(run_dir / "metrics.jsonl")[-1]["gap/test_attacked"]
    gap = run("evaluate", "gap", f"--run_dir={run_dir}", "--images=30")
    assert gap.stdout.splitlines()[-2].count(f"{measured:.1%} under attack")


@pytest.mark.parametrize(
    "bindings",
    [
        ("finetune.free = True",),
        ("finetune.lipschitz_weight = 0.1", "ProjectedGradientDescent.steps = 0"),
        ("finetune.network = 'preact_resnet18'", "PreActResNet18.base_width = 2",
         "PreActResNet18.normalization = 'batch'"),
    ],
    ids=["free", "penalty", "preact_resnet18"],
)  # fmt: skip
def test_other_trainings(folder, tmp_path, bindings, eagerly):
    process = from_scratch(
        folder,
        tmp_path / "run",
        *bindings,
        "finetune.steps = 2",
        "gap.every = 2",
        "final_evaluation.images = 0",
    )
    assert process.returncode == 0, process.stderr
    assert len(read_metrics(tmp_path / "run" / "metrics.jsonl")) == 2
    assert open_run(tmp_path / "run", "best").load_classifier() is not None


def test_generated_images_of_an_npz(folder, tmp_path):
    path = tmp_path / "made.npz"
    pixels = np.random.default_rng(0).integers(0, 256, [40, 8, 8, 1], dtype=np.uint8)
    np.savez(path, image=pixels, label=np.arange(40) % 10)
    with eagerly():
        process = run(
            "finetune", f"--gin_file={folder / 'tiny.gin'}",
            f"--gin_file={folder / 'finetune.gin'}",
            "--gin_param=finetune.start = 'scratch'", "--gin_param=finetune.steps = 2",
            f"--generated={path}", f"--run_dir={tmp_path / 'run'}", "--data_dir=no data",
            "--gin_param=gap.every = 0", "--gin_param=final_evaluation.images = 0",
            *(f"--gin_param={binding}" for binding in SMALLEST),
        )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "Generated  made.npz" in process.stdout
    assert (
        "loss_discriminator/fake_attacked_class"
        in read_metrics(tmp_path / "run" / "metrics.jsonl")[-1]
    )
    assert_next_lines_work(process.stdout, tmp_path / "run")


def assert_next_lines_work(output, run_dir):
    """Measures and continues a run of two steps as its output says, with its data and images."""
    measure, longer = (
        shlex.split(output.split(before)[1].splitlines()[1])[2:]
        for before in ("Next: measure it with", "or train longer with")
    )
    assert measure[0] == "robgan_tf.evaluate" and "--data_dir=no data" in measure
    # One radius: Square's 5,000 queries take as long at each.
    measured = run("evaluate", *measure[1:], "--images=4", "--epsilons=0.02", "--nomasking")
    assert measured.returncode == 0, measured.stderr
    assert (run_dir / "evaluations" / "robustness_strong_test_4_images_epsilon_0.02.json").exists()
    assert longer[0] == "robgan_tf.finetune" and "--data_dir=no data" in longer
    with eagerly():
        continued = run("finetune", *longer[1:])
    assert continued.returncode == 0, continued.stderr
    assert "continued from step 2" in continued.stdout
    assert [x["step"] for x in read_metrics(run_dir / "metrics.jsonl")] == [1, 2, 3, 4]


def test_dry_run_writes_nothing(folder, gan, tmp_path):
    trades = "--gin_param=finetune.objective = 'trades'"
    process = run("finetune", *arguments(folder, gan, tmp_path / "none", "--dry_run", trades))
    assert process.returncode == 0, process.stderr
    attack = next(x for x in process.stdout.splitlines() if x.startswith("Attack "))
    assert attack.endswith("started from noise of deviation 0.002")
    assert "finetune.generated_weight = 0.5" in process.stdout
    assert "ResNetDiscriminator.widths = '1, 2'" in process.stdout
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--gin_param=finetune.stepss = 3"], "stepss"),
        (["--gin_param=data.resolution = 32"], "data.resolution is 16 in"),
        (["--gin_param=data.validation_examples = 0"], "same held-out images"),
        (["--gin_param=ResNetDiscriminator.base_width = 8"], "ResNetDiscriminator.base_width is 2"),
        (["--gin_param=finetune.network = 'preact_resnet18'"], "cannot start from the D of a run"),
        (["--gin_param=finetune.replicas = 3"], "finetune.replicas = 3 needs a new process"),
        (["--gin_param=finetune.free = True", "--gin_param=ProjectedGradientDescent.steps = 1"],
         "needs at least 2, not 1"),
        (["--gan_checkpoint=3"], "there is no checkpoint of step 3"),
        (["--generated=nowhere.npz"], "nowhere.npz do not exist (--generated)"),
        (["--generated=x", "--gin_param=finetune.generated_share = 0.0"], "--generated is of no"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(folder, gan, tmp_path, more, message):
    process = run("finetune", *arguments(folder, gan, tmp_path / "bad", *more))
    assert process.returncode == 2, process.stdout
    assert process.stderr.count("error: ") == 1
    assert message in process.stderr.splitlines()[-1]
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "bad" / "config.json").exists()


def test_what_is_missing_is_named(folder, finished, tmp_path):
    gin = f"--gin_file={folder / 'tiny.gin'}", f"--gin_file={folder / 'finetune.gin'}"
    run_dir = f"--run_dir={tmp_path / 'x'}"
    assert "needs the run of joint training" in run("finetune", *gin, run_dir).stderr
    scratch = "--gin_param=finetune.start = 'scratch'"
    assert "needs generated images" in run("finetune", *gin, scratch, run_dir).stderr
    of_finetune = run("finetune", *gin, f"--gan_run_dir={finished[0]}", run_dir).stderr
    assert "is a run of finetune, not of joint training" in of_finetune
    assert "no configuration" in run("finetune").stderr


def test_another_state_of_the_gan_is_another_run(folder, gan, finished, tmp_path):
    """G is used in every step, so the run cannot go on with that of a later step."""
    gan = shutil.copytree(gan, tmp_path / "gan")
    tuned = shutil.copytree(finished[0], tmp_path / "tuned")
    run_of_gan = open_run(gan)
    later = {
        "average_generator": run_of_gan.load_generator(),
        "discriminator": run_of_gan.load_classifier(),
    }
    made_run.save(gan / "checkpoints", later, 2001)
    refused = run("finetune", *arguments(folder, gan, tuned))
    assert refused.returncode == 2
    assert "--gan_run_dir is 'gan at step 2000" in refused.stderr
    back = run("finetune", *arguments(folder, gan, tuned, "--gan_checkpoint=2000"))
    assert back.returncode == 0, back.stderr


def test_a_process_of_its_own_ends_likewise(folder, gan, tmp_path):
    more = "--gin_param=finetune.replicas = 3"
    started = start("finetune", *arguments(folder, gan, tmp_path / "bad", more))
    output, errors = started.communicate(timeout=120)
    assert started.returncode == 2 and not output
    refused = "the number of real images in a batch, 8 is not divisible by 3 replicas; 6 would be"
    assert errors == f"error: {refused}\n"
