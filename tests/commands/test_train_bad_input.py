"""Bad input to the train command: one clear line each, a status of its own, no traceback."""

import pytest
from PIL import Image

from tests import in_process, tiny


@pytest.fixture
def run(tmp_path):
    """Runs the command in this process; returns its status and standard error."""
    gin_file = tmp_path / "tiny.gin"
    gin_file.write_text("\n".join(tiny.BINDINGS) + "\n")

    def run(*arguments):
        defaults = [f"--gin_file={gin_file}", f"--run_dir={tmp_path / 'run'}"]
        ended = in_process.run("train", *defaults, *arguments)
        return ended.returncode, ended.stderr

    return run


def assert_one_line(result, *expected):
    status, errors = result
    assert status == 2
    assert errors.startswith("error: ") and errors.count("\n") == 1, errors
    for text in expected:
        assert text in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gin_file=gin/nope.gin"], "gin file gin/nope.gin does not exist"),
        (["--gin_param=train.stpes=3"], "doesn't have a parameter named 'stpes'"),
        (["--gin_param=trian.steps=3"], "No configurable matching 'trian'"),
        (["--gin_param=other/train.steps=3"], "nothing uses the binding other/train.steps"),
        (["--gin_param=UNUSED=3"], "nothing uses the binding UNUSED"),
        (["--gin_param=train.steps='3'"], "train.steps = '3' is a str; it takes a whole number"),
        (["--gin_param=train.steps=8/255"], "values are Python literals"),
        (
            ["--gin_param=ProjectedGradientDescent.epsilon='8/256'"],
            "ProjectedGradientDescent.epsilon = '8/256' is no radius: give a number on [-1, 1]",
        ),
        (["--gin_param=final_evaluation.epsilon='-8/255'"], "'-8/255' is no radius"),
        (["--gin_param=train.steps='8/255'"], "it takes a whole number"),
        (
            [
                "--gin_param=ProjectedGradientDescent.relative_step=True",
                "--gin_param=ProjectedGradientDescent.step_size='2/255'",
            ],
            "step_size = '2/255' is no share of the radius",
        ),
        (["--gin_param=data.dataset='cifarr10'"], "cifarr10"),
        (["--gin_param=train.batch_size=0"], "train.batch_size = 0 is too low"),
        (["--gin_param=train.batch_size=-8"], "train.batch_size = -8 is too low"),
        (
            ["--gin_param=ProjectedGradientDescent.epsilon=-0.1"],
            "ProjectedGradientDescent.epsilon must not be negative, got -0.1",
        ),
        (
            ["--gin_param=ProjectedGradientDescent.epsilon=8"],
            "8/255 of the [0, 1] scale is 0.0627 on this one",
        ),
        (
            ["--gin_param=train.precision='fp16'"],
            "train.precision = 'fp16' does not exist",
        ),
        (
            [
                "--gin_param=TrainingAdversary.free=True",
                "--gin_param=ProjectedGradientDescent.steps=1",
            ],
            "needs at least 2, not 1",
        ),
        (["--run_dir=/proc/run"], "cannot be used"),
        (["--run_dir=runs/" + 300 * "x"], "the path is too long; 4095 bytes, and 255 between"),
        (["--run_dir=runs/lr[1]"], "has one of the characters"),
        (["--gin_param=final_evaluation.epsilon=8"], "final_evaluation: "),
        (["--gin_param=train.seed=5000000000"], "train.seed = 5000000000 is too high"),
        (["--gin_param=import nope"], "'import nope' would import a module"),
        (["--gin_param=ResNetGenerator.widths='4; 4'"], "lead from 4 to 8 pixels, not to 16"),
        (
            [
                "--gin_param=TrainingAdversary.target='class'",
                "--gin_param=ResNetDiscriminator.head='none'",
            ],
            "has nothing to maximise where",
        ),
        (["--gin_param=ResNetDiscriminator.head='both'"], "head = 'both' does not exist"),
        (
            ["--gin_param=quality.best='fid'", "--gin_param=quality.every=0"],
            "needs measurements: bind quality.every above 0",
        ),
        (
            ["--gin_param=quality.best='is'", "--gin_param=quality.every=2"],
            "pixels-area8 gives no class logits",
        ),
        (
            ["--gin_param=quality.best='fid'", "--gin_param=quality.every=99999"],
            "quality.best = 'fid' needs a measurement: quality.every = 99999 is above train.steps",
        ),
        (["--features=/nowhere"], "the extractor /nowhere does not exist"),
        (["--features=classifier:/nowhere"], "/nowhere holds no run"),
        (["--features=classifier:"], "the classifier of which run?"),
        (["--warm_start=/nowhere"], "there is no checkpoint under /nowhere/checkpoints"),
        (["extra"], "unexpected argument 'extra'"),
        (["--gin_param=data.num_classes=11"], "data.num_classes"),
        (["--gin_param=data.channels=3"], "channel"),
        (
            ["--gin_param=train.replicas=2", "--gin_param=train.distribution='single_device'"],
            "several replicas need 'mirrored'",
        ),
    ],
)
def test_bad_input_gets_one_clear_line(run, arguments, message):
    assert_one_line(run(*arguments), message)


def test_what_was_refused_leaves_no_run_behind(run, tmp_path):
    assert run("--gin_param=quality.best='is'", "--gin_param=quality.every=2")[0] == 2
    assert not (tmp_path / "run" / "config.json").exists()


def test_no_gin_file(tmp_path):
    ended = in_process.run("train", f"--run_dir={tmp_path}")
    assert_one_line((ended.returncode, ended.stderr), "no configuration: give --gin_file")


def test_run_directory_of_another_config(run, tmp_path):
    stored = tmp_path / "run"
    assert run("--warm_start=/nowhere")[0] == 2
    assert (stored / "config.json").exists()
    result = run("--gin_param=train.batch_size=16", "--gin_param=train.seed=1")
    assert_one_line(
        result,
        f"run directory {stored} belongs to another configuration",
        "train.batch_size is 8 there and 16 here; train.seed is 0 there and 1 here",
    )
    assert_one_line(run("--gin_param=train.steps=3"), "train.steps is 4 there and 3 here")
    result = run("--gin_param=ProjectedGradientDescent.epsilon=0.0627")
    assert_one_line(result, "is 0.1 (12.75/255) there and 0.0627 (7.99/255) here")


def test_directory_that_holds_something_else(run, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    assert_one_line(run(f"--run_dir={tmp_path / 'thesis'}"), "is not empty and holds no run")


def test_file_as_run_directory(run, tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_line(run(f"--run_dir={tmp_path / 'file'}"), "is a file; give a directory")


@pytest.mark.parametrize("count", [9, 11])
def test_class_folders_must_be_as_many_as_classes(run, tmp_path, count):
    for split in ("train", "val"):
        for number in range(count):
            folder = tmp_path / "data" / split / f"class_{number:02d}"
            folder.mkdir(parents=True)
            Image.new("L", (16, 16), number).save(folder / "a.png")
    result = run(
        f"--data_dir={tmp_path / 'data'}",
        "--gin_param=data.dataset='image_folder'",
        "--gin_param=data.test_split='val'",
        "--gin_param=data.validation_examples=0",
    )
    assert_one_line(result, str(count), "10", "data.num_classes")


def test_a_class_folder_added_between_runs(run, tmp_path):
    def add(*names):
        for folder in [tmp_path / "data" / split / name for split in "ab" for name in names]:
            folder.mkdir(parents=True)
            for number in range(2):
                Image.new("L", (16, 16), number).save(folder / f"{number}.png")

    def again():
        return run(
            f"--data_dir={tmp_path / 'data'}",
            "--gin_param=data.dataset='image_folder'",
            "--gin_param=data.train_split='a'",
            "--gin_param=data.test_split='b'",
            "--gin_param=data.validation_examples=0",
            "--gin_param=data.num_classes=2",
            "--warm_start=/nowhere",
        )

    add("ant", "bee")
    assert_one_line(again(), "there is no checkpoint under /nowhere")  # It has begun.
    add("ape")
    message = "the data has other classes than the run was trained on (3 here and 2 there): "
    assert_one_line(again(), message + "'ape' is new. Give the data of the run (--data_dir)")
    for split in "ab":
        (tmp_path / "data" / split / "bee").rename(tmp_path / "data" / split / ".bee")
    # As many classes as before, and "ant" would have become the second.
    assert_one_line(again(), "(2 here and 2 there): 'ape' is new; 'bee' is missing")


def test_dataset_that_is_not_prepared(run, tmp_path, monkeypatch):
    # No proxy listens there, so the download fails at once wherever the test runs.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "empty").mkdir()
    result = run(
        f"--data_dir={tmp_path / 'empty'}",
        "--gin_param=data.dataset='cifar10'",
        "--gin_param=data.channels=3",
    )
    assert_one_line(result, "cifar10", str(tmp_path / "empty"), "--data_dir")
