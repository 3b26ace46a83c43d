"""The guide to classifiers from elsewhere does what it says: its programs and commands are run."""

import importlib.util
import json
import pathlib
import re
import shlex

import pytest

from tests import in_process

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "guides" / "your_classifier.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    shlex.split(command.replace("\\\n", " "))
    for command in re.findall(r"```console\n\$ robgan-tf (.*?)```", TEXT, re.DOTALL)
]
CARD = "results/cards/robustness_apgd_images_epsilon_0.0627451_0.12549_mine.py_{}.json"


def block(start):
    (found,) = [text for text in BLOCKS if text.startswith(start)]
    return found


def command(*words):
    (found,) = [line for line in COMMANDS if set(words) <= set(line)]
    return list(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page is followed, after its first program."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "mine.py").write_text(block('"""mine.py'))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        exec(compile(block('"""make.py'), "make.py", "exec"), {})
    return folder


@pytest.fixture
def run(folder, monkeypatch):
    """Runs a line of the page, there."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(in_process, "ROOT", folder)

    def call(words):
        ended = in_process.run_any(*words)
        assert ended.returncode == 0, ended.stderr
        print(ended.stdout)
        return ended.stdout

    return call


def test_a_model_in_each_way_its_card_and_the_comparison(run, folder):
    line = command("--model=mine.py:on_arrays")
    said = run(line)
    assert "Model mine.py: a program, run with your rights" in said
    assert "images.npz: 797 images, NHWC, floats in [0, 1]" in said
    ways = ["on_arrays", "in_tensorflow"]
    if importlib.util.find_spec("torch"):
        ways.append("in_pytorch")
    cards = [json.loads((folder / CARD.format("on_arrays")).read_text())]
    for way in ways[1:]:
        run([word.replace("on_arrays", way) for word in line] + ["--nomasking"])
        cards.append(json.loads((folder / CARD.format(way)).read_text()))
        assert cards[-1]["images"]["fooled_by"] == cards[0]["images"]["fooled_by"]
    shown = command("compare")
    named = [CARD.format("on_arrays"), CARD.format("in_tensorflow")]
    for place, word in zip([1, 2], named, strict=True):
        assert shown[place].startswith("--card=")
        shown[place] = f"--card={word}"
    assert "| +0.00% |" in run(shown)
    assert {path.name for path in (folder / "results").glob("cards.*")} == {
        "cards.json",
        "cards.md",
    }


def test_the_call_in_python(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    exec(compile(block("import numpy as np\n\nimport robgan_tf"), PAGE.name, "exec"), {})
    assert "of 100 images under 'published' of radius 0.0627451 (8/255)" in capsys.readouterr().out


def test_corrupted_digits(run, folder):
    exec(compile(block('"""corrupt.py'), "corrupt.py", "exec"), {})
    said = run(command("corruptions"))
    assert "mean corruption error, unnormalised: " in said
    assert (folder / "results" / "corruptions_digits-c.png").exists()


def test_every_line_is_one_that_is_run_or_shown_elsewhere():
    first = ["--model=mine.py:on_arrays", "--card=results/cards/a.json", "corruptions"]
    others = ["--model=model.onnx", "--model=exports/classifier/1"]
    assert len(COMMANDS) == len([*first, *others])
    for word in [*first, *others]:
        command(word)
