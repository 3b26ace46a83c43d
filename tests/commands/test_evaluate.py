"""The evaluate command as a user runs it: tables, continuing after a kill, bad input."""

import csv
import json
import pathlib
import shutil
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image

from robgan_tf.files import read_npz
from robgan_tf.models.building import build_generator
from robgan_tf.runs.directory import BEST_CHECKPOINT
from tests import made_run, tiny
from tests.data.helpers import make_folder
from tests.in_process import ROOT, run, start

IMAGES = 60
# Other weights are of another name here.
pytestmark = pytest.mark.usefixtures("kept_classifiers")
NAME = f"robustness_published_test_{IMAGES}_images_epsilon_0.02_0.3"


def evaluate(run_dir, *arguments):
    return run("evaluate", "robustness", f"--run_dir={run_dir}", *arguments)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, trained):
    """A run that evaluations are written to, and a gin file of its data beside it."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.gin").write_text("\n".join(tiny.BINDINGS) + "\n")
    return shutil.copytree(trained, folder / "run")


@pytest.fixture(scope="module")
def evaluated(run_dir):
    process = evaluate(run_dir, f"--images={IMAGES}", "--epsilons=0.02,0.3", "--save_images")
    assert process.returncode == 0, process.stderr
    assert "retracing" not in process.stderr
    return run_dir / "evaluations" / NAME, process.stdout


def test_table_and_files_agree(evaluated):
    path, printed = evaluated
    record = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert [row["epsilon"] for row in record["radii"]] == [0.0, 0.02, 0.3]
    accuracies = [row["accuracy"] for row in record["radii"]]
    assert accuracies == sorted(accuracies, reverse=True)
    for row in record["radii"]:
        low, high = row["interval_95"]
        assert low <= row["accuracy"] <= high
        assert f"{row['accuracy']:.2%} ({low:.1%} to {high:.1%})" in printed
    assert "0.02 (2.55/255)" in printed
    assert len(record["masking"]) == 12
    assert path.with_name(f"{path.name}.md").read_text() in printed


def test_per_sample_file_and_images_agree_with_the_table(evaluated):
    path, _ = evaluated
    record = json.loads(path.with_name(f"{path.name}.json").read_text())
    with open(f"{path}_samples.csv") as file:
        samples = list(csv.DictReader(file))
    assert len(samples) == IMAGES
    for row in record["radii"]:
        name = f"{row['epsilon']:g}"
        survivors = [sample for sample in samples if not sample[f"fooled_by_{name}"]]
        assert len(survivors) == round(row["accuracy"] * IMAGES)
        assert max(float(sample[f"norm_{name}"]) for sample in samples) <= row["epsilon"] + 1e-6
    with np.load(f"{path}_images.npz") as images:
        change = np.abs(images["epsilon_0.3"] - images["epsilon_0"]).max(axis=(1, 2, 3))
    wrong = np.array([sample["fooled_by_0"] == "clean" for sample in samples])
    assert (change[wrong] == 0).all()
    assert change[~wrong].min() > 0.2


def test_the_same_command_attacks_nothing_again(evaluated, run_dir):
    path, _ = evaluated
    before = {part: part.stat().st_mtime_ns for part in path.glob("*.npz")}
    assert len(before) == 3
    before[path / "masking.json"] = (path / "masking.json").stat().st_mtime_ns
    table = path.with_name(f"{path.name}.md").read_text()
    process = evaluate(
        run_dir, f"--images={IMAGES}", "--epsilons=0.02,0.3", "--batch_size=7", "--save_images"
    )
    assert process.returncode == 0, process.stderr
    assert {part: part.stat().st_mtime_ns for part in before} == before
    assert path.with_name(f"{path.name}.md").read_text() == table


def test_continues_after_a_kill(run_dir):
    arguments = ["--attack=pgd-50-10", "--epsilons=0.02,0.04", "--nomasking", "--images=100"]
    parts = run_dir / "evaluations" / "killed"
    process = start("evaluate", "robustness", f"--run_dir={run_dir}", *arguments, "--name=killed")
    deadline = time.monotonic() + 120
    while len(list(parts.glob("epsilon*.npz"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    found = {part: part.stat().st_mtime_ns for part in parts.glob("epsilon*.npz")}
    assert len(found) == 2
    for name in ("killed", "whole"):
        finished = evaluate(run_dir, *arguments, f"--name={name}")
        assert finished.returncode == 0, finished.stderr
    assert all(part.stat().st_mtime_ns == written for part, written in found.items())
    killed, whole = (
        (run_dir / "evaluations" / f"{name}_samples.csv").read_text()
        for name in ("killed", "whole")
    )
    assert killed == whole


def test_a_second_question_is_answered_beside_the_first(evaluated, run_dir):
    path, _ = evaluated
    first = path.with_name(f"{path.name}.json").read_text()
    process = evaluate(run_dir, "--images=50", "--epsilons=0.02,0.3", "--nomasking")
    assert process.returncode == 0, process.stderr
    assert "test_50_images_epsilon_0.02_0.3.json" in process.stdout
    assert path.with_name(f"{path.name}.json").read_text() == first


def test_runs_of_one_name_have_a_row_each(run_dir, tmp_path):
    other = shutil.copytree(run_dir, tmp_path / "other" / "run")
    arguments = ["--attack=fgsm", "--nomasking", "--epsilons=0.02", "--images=5"]
    process = evaluate(run_dir, f"--run_dir={other}", *arguments, f"--output_dir={tmp_path}")
    assert process.returncode == 0, process.stderr
    assert "| other/run | " in process.stdout
    assert f"| {run_dir.parent.name}/run | " in process.stdout
    assert (tmp_path / "robustness_fgsm_test_5_images_epsilon_0.02_other_run.json").exists()
    process = evaluate(run_dir, f"--run_dir={run_dir}", *arguments)
    assert process.returncode == 2
    assert process.stderr == f"error: {run_dir} is given twice\n"


def test_radii_are_taken_on_either_scale(run_dir):
    process = evaluate(run_dir, "--attack=fgsm", "--epsilons=8/255", "--nomasking", "--images=10")
    assert process.returncode == 0, process.stderr
    before, after = process.stdout.split("radius 0.0627451 (8/255): ", 1)
    assert "of [0, 1] in brackets: 0.0627451 (8/255)" in before
    assert "| 0 (0/255) | 0.0627451 (8/255) |" in after
    name = "robustness_fgsm_test_10_images_epsilon_0.0627451"
    record = json.loads((run_dir / "evaluations" / f"{name}.json").read_text())
    assert [row["epsilon"] for row in record["radii"]] == pytest.approx([0.0, 16 / 255])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--attack=pgdd"], "--attack=pgdd: 'pgdd' does not exist; choose one of 'apgd', 'auto"),
        (["--epsilons=0.1,x"], "--epsilons=0.1,x: 'x' is no radius: give a number on [-1, 1]"),
        (["--epsilons=8/256"], "'8/256' is no radius"),
        (["--epsilons="], "--epsilons: give radii above 0"),
        (["--epsilons=0/255"], "--epsilons: give radii above 0"),
        (["--norm=l7"], "--norm=l7: 'l7' does not exist; choose one of 'l1', 'l2', 'linf'"),
        (["--images=0"], "--images=0: give at least 1"),
        (["--images=ten"], "--images=ten: not a whole number"),
        (["--epsilons=3"], "epsilon = 3.0 is above 2"),
        (["--epsilons=-1"], "--epsilons=-1: '-1' is no radius"),
        (["--checkpoint=7"], "there is no checkpoint of step 7"),
        (["--images=100000"], "--images=100000: the split holds"),
        ([f"--name={NAME}", "--attack=fgsm", "--epsilons=0.02,0.3",
          f"--images={IMAGES}"], "differs in attack: give another --name"),
        (["--model=x"], "give either --run_dir or --model"),
        (["--input_range=0,1"], "--input_range is of --model, and a run has its own: leave it out"),
        (["--generated=x"], "--generated is nothing that robustness uses"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(arguments, message, evaluated, run_dir):
    process = evaluate(run_dir, *arguments)
    assert process.returncode == 2
    assert process.stderr.startswith("error: ") and process.stderr.count("\n") == 1
    assert message in process.stderr


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
def test_model_files(kind, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input([16, 16, 1]), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    path = tmp_path / ("model.keras" if kind == "keras" else "model")
    model.save(path) if kind == "keras" else model.export(path)
    gin_file = tmp_path / "tiny.gin"
    gin_file.write_text("\n".join(tiny.BINDINGS) + "\n")
    arguments = [f"--model={path}", f"--gin_file={gin_file}", "--input_range=0,1", "--images=40"]
    arguments.append("--nomasking")
    process = run("evaluate", "robustness", *arguments, f"--output_dir={tmp_path / 'results'}")
    assert process.returncode == 0, process.stderr
    name = f"robustness_published_test_40_images_range_0_1_{path.name}"
    record = json.loads((tmp_path / "results" / f"{name}.json").read_text())
    assert [row["images"] for row in record["radii"]] == 4 * [40]
    # The same weights on other pixels are another classifier, whatever the files are called.
    arguments = [f"--name={name.removesuffix('_' + path.name)}", *arguments]
    for values, differs in (("--input_range=0,1", False), ("--input_range=0,255", True)):
        again = run(
            "evaluate", "robustness", *arguments, values, f"--output_dir={tmp_path / 'results'}"
        )
        assert again.returncode == (2 if differs else 0), again.stderr
        assert ("differs in model: give another --name" in again.stderr) == differs


def test_class_folders_are_attacked_evenly_and_what_was_trained_on_is_said(tmp_path):
    """A model that answers the first class always is right half the time."""
    for split, value in (("train", 0), ("test", 60)):
        make_folder(tmp_path / "data", {"a": 60, "b": 60}, split)
        for path in (tmp_path / "data" / split).glob("*/*.png"):
            Image.new("L", (16, 16), value + int(path.stem)).save(path)
    shutil.copy(tmp_path / "data/train/a/3.png", tmp_path / "data/test/b/copy.png")
    inputs = keras.Input([16, 16, 1])
    logits = keras.layers.Dense(2, kernel_initializer="zeros", bias_initializer="ones")
    first = keras.layers.Rescaling([1.0, -1.0])
    model = keras.Sequential([inputs, keras.layers.Flatten(), logits, first])
    model.save(tmp_path / "a.keras")
    bindings = [x for x in tiny.BINDINGS if x.startswith(("data.r", "data.c"))]
    bindings += ["data.dataset = 'image_folder'", "data.num_classes = 2"]
    (tmp_path / "data.gin").write_text("\n".join(bindings) + "\n")
    process = run(
        "evaluate", "robustness", f"--model={tmp_path / 'a.keras'}", "--images=60", "--nomasking",
        f"--gin_file={tmp_path / 'data.gin'}", f"--data_dir={tmp_path / 'data'}", "--attack=fgsm",
        "--epsilons=0.02", f"--output_dir={tmp_path}",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "| a.keras | 50.00% (37.7% to 62.3%) |" in process.stdout
    assert "60 images of 121, evenly spaced, 30 of each of 2 classes" in process.stdout
    assert "warning: 1 of 121 test images are training images too" in process.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "--model needs --gin_file"), (["--gin_file=x.gin"], "--model needs --output_dir")],
)
def test_model_files_need_data_and_a_place(arguments, message):
    process = run("evaluate", "robustness", "--model=x", *arguments)
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith(f"error: {message}")


def test_what_to_evaluate_must_be_said():
    for words, message in (([], "nothing was given"), (["robust"], "'robust' does not exist")):
        process = run("evaluate", *words)
        assert process.returncode == 2
        choice = "choose robustness or gap or quality or corruptions"
        assert process.stderr == f"error: what to do? {message}; {choice}\n"


def quality(run_dir, *arguments, features="pixels"):
    """Measures 60 images against 200 real ones; returns the record."""
    process = run(
        "evaluate", "quality", f"--run_dir={run_dir}", f"--features={features}", "--num_images=60",
        "--real_images=200", *arguments,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    line = next(x for x in process.stdout.splitlines() if x.startswith("  written: "))
    path = pathlib.Path(line.removeprefix("  written: ").removesuffix(" and .md"))
    assert path.with_suffix(".md").read_text() in process.stdout
    return path, json.loads(path.read_text())


def test_quality_of_a_run(run_dir):
    path, record = quality(run_dir, features=f"classifier:{run_dir}")
    assert path == (
        run_dir / "evaluations" / "quality_run-antialias16_train200-60_step_00002000_seed_0.json"
    )
    names = [name.partition("/")[0] for name in record["values"]]
    measures = {"is", "is_deviation", "fid", "kid", "precision", "recall", "density", "coverage"}
    assert len(names) == len(measures) and set(names) == measures
    assert all(np.isfinite(value) for value in record["values"].values())
    _, other = quality(run_dir, "--splits=3", "--name=three", features=f"classifier:{run_dir}")
    assert "is/run-antialias16/60-3splits" in other["values"]
    # Features of the real images are kept: again, with another batch size, the same to rounding.
    again_path, again = quality(run_dir, "--batch_size=17", features=f"classifier:{run_dir}")
    assert again_path == path
    for name, value in again["values"].items():
        assert value == pytest.approx(record["values"][name], rel=1e-3, abs=1e-3)


@pytest.fixture(scope="module")
def with_best(tmp_path_factory):
    """A run whose best checkpoint is not the last, and is far from it."""
    folder = tmp_path_factory.mktemp("best")
    (folder / "tiny.gin").write_text("\n".join(tiny.BINDINGS) + "\n")
    made_run.write(folder / "run", tiny.config(), made_run.models(seed=1), step=40)
    made_run.save(folder / "run" / BEST_CHECKPOINT, made_run.models(seed=2), step=30)
    return folder / "run"


def test_what_is_measured_is_what_was_asked_for_and_replaces_nothing(with_best):
    (best,) = (with_best / "best_checkpoint").glob("*.index")
    step = int(best.stem.partition("-")[2])
    assert step < 40
    choices = {
        f"_step_{step:08d}_seed_0": [],
        "_step_00000040_seed_0": ["--checkpoint=last"],
        f"_step_{step:08d}_seed_1": ["--seed=1"],
        f"_step_{step:08d}_seed_0_live": ["--weights=live"],
    }
    distances = {}
    for ending, arguments in choices.items():
        path, record = quality(with_best, *arguments)
        assert path.stem.endswith(ending)
        distances[ending] = record["values"]["fid/pixels-area8/train200-60"]
    assert len({f"{distance:.4g}" for distance in distances.values()}) == 4
    path, record = quality(with_best, "--split=test", "--name=mine")
    assert path.stem == "mine" and next(iter(record["values"])).endswith("/test200-60")
    process = run(
        "evaluate", "quality", f"--run_dir={with_best}", "--features=pixels", "--num_images=60",
        "--real_images=200", "--name=mine",
    )  # fmt: skip
    assert process.returncode == 2
    assert "mine.json exists and differs in real, reference: give another --name" in process.stderr
    assert json.loads(path.read_text()) == record


def test_a_result_of_other_weights_is_not_replaced(with_best, tmp_path):
    (tmp_path / "net.py").write_text(
        "import pathlib\n"
        "scale = float(pathlib.Path(__file__).with_name('weights').read_text())\n"
        "def features(images):\n    return scale * images.mean(axis=(1, 3))\n"
    )
    for weights, status in (("1.0", 0), ("1.001", 0), ("3.0", 2)):
        (tmp_path / "weights").write_text(weights)
        process = run(
            "evaluate", "quality", f"--run_dir={with_best}", "--num_images=60",
            f"--features={tmp_path / 'net.py'}:features", f"--output_dir={tmp_path / 'out'}",
            f"--statistics_dir={tmp_path / weights}",
        )  # fmt: skip
        assert process.returncode == status, process.stderr
    assert "exists and differs in what the extractor makes of the same images" in process.stderr


def test_quality_of_stored_images_is_that_of_the_run_they_come_from(with_best, tmp_path):
    _, of_run = quality(with_best)
    stored = run(
        "sample", "images", f"--run_dir={with_best}", "--num_images=60", "--format=npz",
        f"--output_dir={tmp_path}",
    )  # fmt: skip
    assert stored.returncode == 0, stored.stderr
    (path,) = tmp_path.glob("*.npz")
    process = run(
        "evaluate", "quality", f"--generated={path}", "--features=pixels", "--real_images=200",
        f"--gin_file={with_best.parent / 'tiny.gin'}", f"--output_dir={tmp_path / 'out'}",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    (path,) = (tmp_path / "out").glob("quality_*.json")
    values = json.loads(path.read_text())["values"]
    assert values.keys() == of_run["values"].keys()
    for name, value in of_run["values"].items():
        assert values[name] == pytest.approx(value, rel=1e-4), name


def test_what_was_changed_about_stored_images_is_noted(run_dir, tmp_path):
    folder = tmp_path / "made"
    images = np.random.default_rng(0).integers(0, 256, [40, 24, 24], np.uint8)
    for number, image in enumerate(images):
        path = folder / str(number % 10) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    path.write_bytes(path.read_bytes()[:60])
    arguments = (
        "evaluate", "quality", f"--generated={folder}", "--features=pixels", "--real_images=200",
        f"--gin_file={run_dir.parent / 'tiny.gin'}", f"--output_dir={tmp_path / 'out'}",
    )  # fmt: skip
    process = run(*arguments)
    assert process.returncode == 0, process.stderr
    assert "Note: resized from 24 x 24 to 16 x 16." in process.stdout
    assert f"Note: 1 files cannot be read, another image stands in for each, first {path}" in (
        process.stdout
    )
    assert "Note: no distances by class: no class has more than 64 images" in process.stdout
    # Other images in a folder of the same name are another subject.
    Image.fromarray(images[0]).save(folder / "0" / "0.png", compress_level=0)
    process = run(*arguments)
    assert process.returncode == 2
    assert "exists and differs in subject: give another --name" in process.stderr
    process = run(*arguments, "--num_images=41")
    assert process.returncode == 2
    assert f"--num_images=41: {folder} holds 40 images" in process.stderr.splitlines()[-1]


def test_a_generator_without_classes_has_no_distance_by_class(tmp_path):
    config = tiny.config("ResNetDiscriminator.head = 'none'")
    generator = {"average_generator": build_generator(config)}
    made_run.write(tmp_path / "run", config, generator)
    process = run(
        "evaluate",
        "quality",
        f"--run_dir={tmp_path / 'run'}",
        "--features=pixels",
        "--num_images=100",
    )
    assert process.returncode == 0, process.stderr
    (path,) = (tmp_path / "run" / "evaluations").glob("quality_*.json")
    record = json.loads(path.read_text())
    # Enough images of 64 dimensions: with classes there would be distances.
    assert record["by_class"] == {} and len(record["values"]) == 6


def test_stored_images_need_to_know_what_to_be_compared_with(tmp_path):
    process = run("evaluate", "quality", "--generated=a.npz", "--features=pixels")
    assert process.returncode == 2
    assert "--generated needs --gin_file" in process.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --run_dir or --generated, and --features"),
        (["--features=pixels", "--images=9"], "--images is nothing that quality uses: leave it"),
        (["--features=pixels", "--attack=fgsm"], "--attack is nothing that quality uses: leave"),
        (["--features=pixels", "--gin_file=x"], "--gin_file is of --generated, and a run has its"),
        (["--features=pixels", "--statistics_dir=CONFIG"], "cannot be kept in"),
        (["--features=pixels", "--output_dir=CONFIG/x"], "cannot be written"),
        (["--generated=a.npz", "--features=pixels"], "give --run_dir or --generated"),
        (["--features=nothing"], "nothing"),
        (
            ["--num_images=8", "--features=classifier:RUN"],
            "8 images cannot be divided into 10 splits",
        ),
        (["--features=classifier:nowhere"], "nowhere holds no run"),
    ],
)
def test_bad_input_of_quality_is_one_line(run_dir, arguments, message):
    arguments = [
        argument.replace("RUN", str(run_dir)).replace("CONFIG", str(run_dir / "config.gin"))
        for argument in arguments
    ]
    process = run("evaluate", "quality", f"--run_dir={run_dir}", *arguments)
    assert process.returncode == 2
    assert process.stderr.startswith("error: ") and process.stderr.count("\n") == 1
    assert message in process.stderr


def test_two_workers_attack_what_one_does(run_dir, tmp_path):
    kind = ["evaluate", "robustness", f"--run_dir={run_dir}"]
    flags = ["--images=50", "--epsilons=0.02", "--batch_size=15", "--nomasking", "--save_images"]
    launched = subprocess.run(
        [
            *(sys.executable, "-m", "robgan_tf", "launch", "--workers=2"),
            *(*kind, *flags, f"--output_dir={tmp_path / 'two'}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert launched.returncode == 0, launched.stdout + launched.stderr
    of_others = [line for line in launched.stdout.splitlines() if line.startswith("[1]")]
    assert of_others == ["[1] Worker 1 of 2 computes its share; worker 0 writes and prints"]
    assert evaluate(run_dir, *flags, f"--output_dir={tmp_path / 'one'}").returncode == 0
    for ending, read in (("_samples.csv", pathlib.Path.read_text), ("_images.npz", read_npz)):
        (one,), (two,) = ([*(tmp_path / x).glob(f"*{ending}")] for x in ("one", "two"))
        assert one.name == two.name
        np.testing.assert_equal(read(two), read(one))


def test_what_is_done_by_one_process_refuses_to_be_one_of_several(run_dir, monkeypatch):
    config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    before = sorted(run_dir.rglob("*"))
    for kind in ("gap", "corruptions"):
        done = run("evaluate", kind, f"--run_dir={run_dir}")
        assert done.returncode == 2
        assert done.stderr.startswith(
            f"error: TF_CONFIG names 2 workers, and evaluate {kind} is done by one process"
        )
    assert sorted(run_dir.rglob("*")) == before
