"""The sample command as a user runs it: each kind, the same again, bad input."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.data import load_generated_images, load_image_data
from robgan_tf.models.building import build_discriminator, build_generator
from robgan_tf.quality.generated_set import generated_set
from robgan_tf.stages.finished import open_run
from tests import in_process, made_run, tiny
from tests.eager import eagerly

# The compiled forms: tests/sampling/test_sampler.py and tests/quality/test_generated_set.py.
pytestmark = pytest.mark.usefixtures("eagerly")


def sample(*arguments):
    return in_process.run("sample", *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    config = tiny.config()
    made_run.write(folder / "run", config, made_run.models())
    made_run.write(folder / "no_checkpoint", config, {})
    made_run.write(folder / "damaged", config, {})
    (folder / "damaged" / "config.json").write_text("{")
    without = tiny.config("ResNetDiscriminator.head = 'none'")
    made_run.write(folder / "no_classes", without, {"average_generator": build_generator(without)})
    finetune = read_config(FinetuneConfig, [], tiny_finetune())
    classifier = {"classifier": build_discriminator(finetune, "float32")}
    made_run.write(folder / "finetune", finetune, classifier)
    (folder / "features.py").write_text(
        "def features(images):\n    return images.reshape(len(images), -1)[:, ::16]\n"
        "def of_colours(images):\n    return images[:, 0, 0, [0, 2]]\n"
    )
    return folder


def tiny_finetune():
    networks = ("data.", "ResNetDiscriminator.", "ProjectedGradientDescent.")
    shared = [line for line in tiny.BINDINGS if line.startswith(networks)]
    return [*shared, "finetune.steps = 1", "finetune.batch_size = 8"]


def written(process):
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    return [pathlib.Path(line.split(": ", 1)[1]) for line in lines if "written: " in line]


def test_sheet_is_written_once(folder):
    arguments = ["sheet", f"--run_dir={folder / 'run'}", "--columns=3", "--classes=4,2"]
    (path,) = written(sample(*arguments))
    assert path == folder / "run" / "generated" / "sheet_step_00000007_seed_0.png"
    before = path.read_bytes()
    with Image.open(path) as picture:
        # 16 px three times magnified, 2 px around.
        assert picture.height == 2 * 50 + 2
        assert picture.width > 3 * 50
    assert written(sample(*arguments, "--batch_size=2")) == [path]
    assert path.read_bytes() == before
    other = sample(*arguments, "--shared_latents")
    assert other.returncode == 2
    assert other.stderr.splitlines()[-1].endswith("remove it, or give another --output_dir")
    assert path.read_bytes() == before


@pytest.mark.parametrize(("between", "rows"), [("latents", 3), ("classes", 2)])
def test_interpolation_is_a_grid_and_an_animation(folder, between, rows):
    arguments = ["--frames=4", "--gif_frames=5", "--classes=1,5,9", "--truncation=0.8"]
    picture_path, gif_path = written(
        sample("interpolation", f"--run_dir={folder / 'run'}", f"--between={between}", *arguments)
    )
    name = f"interpolation_{between}_step_00000007_seed_0_truncation_0.8"
    assert (picture_path.name, gif_path.name) == (f"{name}.png", f"{name}.gif")
    with Image.open(picture_path) as picture, Image.open(gif_path) as gif:
        assert picture.height == gif.height == rows * 50 + 2
        assert picture.width - gif.width == 3 * 50
        assert gif.n_frames == 2 * 5 - 2 and gif.info["loop"] == 0


def test_images_are_those_that_are_measured_in_either_form(folder, tmp_path):
    arguments = [f"--run_dir={folder / 'run'}", "--num_images=23", "--seed=5", "--batch_size=10"]
    paths = [
        *written(sample("images", *arguments, f"--output_dir={tmp_path}")),
        *written(sample("images", *arguments, f"--output_dir={tmp_path}", "--format=npz")),
    ]
    assert [path.name for path in paths] == [
        "images_23_step_00000007_seed_5",
        "images_23_step_00000007_seed_5.npz",
    ]
    run = open_run(folder / "run")
    batches = list(generated_set(run.load_generator(), 23, 5, 10))
    images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
    names = load_image_data(**run.config.data.loading(None)).class_names
    order = np.argsort(labels, kind="stable")
    for path, wanted in zip(paths, (order, np.arange(23)), strict=True):
        source = load_generated_images(path, names, resolution=16, channels=1).source
        np.testing.assert_array_equal(source.labels, labels[wanted])
        np.testing.assert_array_equal(source.fetch(np.arange(23)), images[wanted])
    again = sample("images", *arguments, f"--output_dir={tmp_path}")
    assert "(23 images were there already)" in again.stdout


def test_neighbours_are_shown_and_numbers_written(folder, tmp_path):
    arguments = [f"--run_dir={folder / 'run'}", f"--features=classifier:{folder / 'run'}"]
    arguments += [f"--output_dir={tmp_path}", "--classes=3,8", "--neighbours=2"]
    picture_path, numbers_path = written(sample("neighbours", *arguments))
    with Image.open(picture_path) as picture:
        assert picture.height > 4 * 96
    record = json.loads(numbers_path.read_text())
    assert record["generator"].startswith("average G of run at step 7 (")
    assert [entry["class"] for entry in record["samples"]] == ["3", "3", "8", "8"]
    smallest = record["median_nearest_distance_of_training_images"]
    for entry in record["samples"]:
        first, second = entry["neighbours"]
        assert 0 < first["distance"] <= second["distance"]
        assert first["in_medians"] == pytest.approx(first["distance"] / smallest)
    assert len(list((folder / "reference_features").glob("digits-train-16px-*.npz"))) == 1


BAD_INPUT = [
    ("sheet --run_dir=run --classes=cow", "class 'cow' does not exist (--classes); there are 0, 1"),
    ("sheet --run_dir=nowhere", "nowhere holds no run"),
    ("sheet --run_dir=no_checkpoint", "there is no checkpoint under"),
    ("sheet --run_dir=run --checkpoint=9", "there is no checkpoint of step 9"),
    ("sheet --run_dir=finetune", "holds no generator: it is a run of finetune"),
    ("sheet --run_dir=no_classes --classes=1", "has no classes: leave out --classes"),
    ("interpolation --run_dir=no_classes --between=classes", "needs two classes or more"),
    ("interpolation --run_dir=run --between=classes --classes=3", "needs two classes or more"),
    ("images --run_dir=run --classes=3", "--classes is nothing that images uses: leave it out"),
    ("sheet --run_dir=run --num_images=3", "--num_images is nothing that sheet uses"),
    ("sheet --run_dir=run --extension=features.py", "registers nothing: call robgan_tf.register"),
    ("sheet --run_dir=damaged", "config.json cannot be read"),
    ("sheet --run_dir=run --checkpoint=best", "train keeps one where quality.best is set"),
    ("images --run_dir=run --num_images=3 --output_dir=features.py", "cannot be written"),
    ("neighbours --run_dir=run --features=classifier:nowhere", "nowhere holds no run"),
    ("neighbours --run_dir=run --features=nothing", "the extractor nothing does not exist"),
    ("neighbours --run_dir=run --features=features.py:of_colours", "fails on images of shape"),
    ("neighbours --run_dir=run --features=features.py:features --training_images=5",
     "5 training images are too few to find 5 neighbours"),
]  # fmt: skip


@pytest.fixture(scope="module")
def results(folder):
    places = (*(entry.name for entry in folder.iterdir()), "nowhere")

    def located(argument):
        for place in places:
            for before in ("=", "=classifier:"):
                if argument.partition("=")[2].startswith(f"{before}{place}"[1:]):
                    return argument.replace(f"{before}{place}", f"{before}{folder / place}")
        return argument

    lines = [[located(word) for word in line.split()] for line, _ in BAD_INPUT]
    lines.append(["sheet", f"--run_dir={folder / 'no_classes'}", "--columns=2"])
    lines.append(["interpolation", f"--run_dir={folder / 'no_classes'}", "--frames=2"])
    lines.append(["images", f"--run_dir={folder / 'no_classes'}", "--num_images=3"])
    with eagerly():
        ended = [sample(*line) for line in lines]
    return [(process.returncode, process.stderr) for process in ended]


@pytest.mark.parametrize("number", range(len(BAD_INPUT)))
def test_bad_input_is_one_line(results, number):
    status, errors = results[number]
    line, message = BAD_INPUT[number]
    assert status == 2, line
    (last,) = (text for text in errors.splitlines() if text.startswith("error: "))
    assert message in last
    assert "Traceback" not in errors


def test_a_generator_without_classes_works(results, folder):
    assert [status for status, _ in results[len(BAD_INPUT) :]] == [0, 0, 0]
    generated = folder / "no_classes" / "generated"
    with Image.open(generated / "sheet_step_00000007_seed_0.png") as picture:
        assert picture.height == 52
    names = sorted(path.name for path in (generated / "images_3_step_00000007_seed_0").iterdir())
    assert names == [*(f"{number:08d}.png" for number in range(3)), "made_by.json"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "what to do? nothing was given; choose sheet or interpolation or images or neighbour"),
        (["pictures"], "what to do? 'pictures' does not exist; choose sheet or"),
        (["sheet"], "what to sample from? give --run_dir"),
        (["sheet", "--run_dir=x", "--columns=0"], "--columns=0: give at least 1"),
        (["sheet", "--run_dir=x", "--truncation=0"], "--truncation=0: give a bound above 0"),
        (["sheet", "--run_dir=x", "--truncation=nan"], "--truncation=nan: give a bound above 0"),
        (["sheet", "--run_dir=x", "--truncation=1e-50"], "--truncation=1e-50: give a bound"),
        (["sheet", "--run_dir=x", "--seed=-1"], "--seed=-1: give a whole number from 0"),
        (["interpolation", "--run_dir=x", "--frames=1"], "--frames=1: give at least 2"),
        (["neighbours", "--run_dir=x"], "nearest by what? give --features"),
    ],
)
def test_wrong_flags_are_one_line(words, message):
    process = sample(*words)
    assert process.returncode == 2
    assert process.stderr.startswith(f"error: {message}") and process.stderr.count("\n") == 1
