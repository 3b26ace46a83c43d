"""The report command on runs of both stages, on archives and on records."""

import json
import pathlib
import re
import shutil

import pytest
from PIL import Image

from tests import in_process

ROOT = pathlib.Path(__file__).parents[2]
EVALUATION = {
    "model": "run",
    "source": "classifier at step 200",
    "images": "All 355 images",
    "attack": "strong",
    "epsilons": [0.02],
    "norm": "linf",
    "seed": 0,
    "radii": [
        {"epsilon": 0.0, "images": 355, "accuracy": 0.9, "interval_95": [0.87, 0.93]},
        {
            "epsilon": 0.02,
            "images": 355,
            "accuracy": 0.4321,
            "interval_95": [0.38, 0.48],
            "fooled_by": {"clean": 35, "apgd-ce": 166},
        },
    ],
    "masking": [
        {"name": "more steps are stronger", "passed": False, "figures": "0.41 and 0.44"},
    ],
    "masking_images": "100 images",
    "warnings": ["pixels may be of another range"],
}


def report(run_dir, *arguments):
    return in_process.run("report", f"--run_dir={run_dir}", *arguments)


@pytest.fixture(scope="module")
def run(tuned, tmp_path_factory):
    """A tuned run with an evaluation, a sheet of attacked images and sessions."""
    run = shutil.copytree(tuned, tmp_path_factory.mktemp("report") / "tuned")
    (run / "evaluations" / "robustness_strong_test.json").write_text(json.dumps(EVALUATION))
    (run / "attacks").mkdir()
    for step in (100, 200):
        Image.new("RGB", (40, 20), (step, 0, 0)).save(run / "attacks" / f"step_{step:08d}.png")
    sessions = [
        {"from_step": 1, "command": "robgan-tf finetune --first", "cores": 2, "devices": []},
        {"from_step": 101, "command": "robgan-tf finetune --second", "peak_memory_mib": 812},
    ]
    (run / "environment.json").write_text(json.dumps({"sessions": sessions}))
    return run


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """Where its report is."""
    folder = tmp_path_factory.mktemp("made")
    done = report(run, f"--output_dir={folder}")
    assert done.returncode == 0, done.stderr
    assert f"written: {folder / 'report.html'} and {folder / 'report.md'}" in done.stdout
    return folder


def test_it_is_all_there_in_one_file(made):
    for name in ("report.html", "report.md"):
        text = (made / name).read_text()
        for part in (
            "fine-tuning of the discriminator with generated images, attack of 5 steps",
            "radius 0.02 (2.55/255)",
            "43.21%",
            "38.0% to 48.0%",
            "clean 35, apgd-ce 166",
            "pixels may be of another range",
            "more steps are stronger",
            "may be too high",
            "robgan-tf finetune --second",
            "812",
            "finetune.generated_share",
            "step 200",
        ):
            assert part in text, (name, part)
    html = (made / "report.html").read_text()
    images = re.findall(r'<img src="data:image/(\S+?);base64,\S+" alt="([^"]+)"', html)
    assert len(images) == html.count("<img") >= 7
    assert (
        "png",
        "Test images of tuned before and after the attack, and the differences, step 200",
    ) in images
    assert sum("accuracy under attack" in alt for _, alt in images) >= 1
    # In Markdown they are files.
    links = re.findall(r"\]\((report_pictures/\S+)\)", (made / "report.md").read_text())
    assert len(links) == len(images) and all((made / x).is_file() for x in links)


def test_the_same_run_gives_the_same_bytes(run, made, tmp_path):
    assert report(run, f"--output_dir={tmp_path}").returncode == 0
    files = sorted(x.relative_to(made) for x in made.rglob("*.*"))
    assert len(files) >= 9
    for file in files:
        assert (made / file).read_bytes() == (tmp_path / file).read_bytes()


def test_a_run_of_joint_training_goes_into_its_directory(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "joint")
    assert report(run).returncode == 0
    text = (run / "report.md").read_text()
    assert "# joint: joint training, split loss (9), attack of 2 steps" in text
    assert "The run does not say how it was started" in text
    assert "--gin_file=" in text and "Finished, 2,000 steps, seed 0" in text


def test_archives_and_records(run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packed = in_process.run("pack", f"--run_dir={run}", f"--output={tmp_path / 'x.tar.gz'}")
    assert packed.returncode == 0, packed.stderr
    recorded = in_process.run("record", f"--run_dir={run}", f"--output_dir={tmp_path / 'rec'}")
    assert recorded.returncode == 0, recorded.stderr
    for path in (tmp_path / "x.tar.gz", tmp_path / "rec" / "0.json"):
        refused = report(path)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert "say where the report goes (--output_dir)" in refused.stderr
        done = report(path, f"--output_dir={tmp_path / 'out'}")
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "out" / "report.md").read_text()
        for part in ("43.21%", "robgan-tf finetune --second", "report_pictures/attacks.png"):
            assert part in text, (path, part)


def test_bad_input_is_one_line(run, tmp_path):
    damaged = shutil.copytree(run, tmp_path / "damaged")
    (damaged / "evaluations" / "robustness_strong_test.json").write_text('{"radii": [{}]}')
    for arguments, message in (
        ((), "report of which run? give --run_dir"),
        ((f"--run_dir={tmp_path}",), "neither a run directory"),
        ((f"--run_dir={damaged}",), "robustness_strong_test.json is damaged"),
        ((f"--run_dir={run}", "--output_dir=/proc/x"), "--output_dir=/proc/x cannot be used"),
    ):
        ended = in_process.run("report", *arguments)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
        assert message in ended.stderr
