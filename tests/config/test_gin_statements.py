"""A gin file of a stranger: nothing in it is run or imported, and it reads no file elsewhere."""

import importlib
import sys

import pytest

from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.stages.finished import read_run_config
from tests import tiny

# Bindings of every kind that gin by itself would follow into code.
ATTACKS = [
    ("import payload", "'import payload' would import a module"),
    ("import payload as p", "'import payload as p' would import a module"),
    ("from payload import x", "'from payload import x' would import a module"),
    ("from __gin__ import dynamic_registration\nimport payload", "would import a module"),
    ("include 'payload/x.gin'", "include 'payload/x.gin' is not followed"),
    ("train.seed = @payload.run()", "@payload.run() refers to code"),
    ("train.seed = [1, {'a': @payload.run}]", "@payload.run refers to code"),
    ("train.seed = @gin.singleton()", "@gin.singleton() refers to code"),
    ("train:\n  seed = @train()", "@train() refers to code"),
    ("train.seed = %gin.REQUIRED", "%gin.REQUIRED is a constant of a module"),
]


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The file that the package `payload` makes where it is imported."""
    marker = tmp_path / "ran"
    (tmp_path / "payload").mkdir()
    program = f"open({str(marker)!r}, 'w')\ndef run(): return 0\nx = 0\n"
    (tmp_path / "payload" / "__init__.py").write_text(program)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "payload", raising=False)
    return marker


def refused(call):
    with pytest.raises(UserError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("text", "message"), ATTACKS)
def test_nothing_is_imported_or_called(ran, tmp_path, text, message):
    bindings = "\n".join(tiny.BINDINGS)
    path = tmp_path / "stranger.gin"
    path.write_text(f"{bindings}\n{text}\n")
    found = refused(lambda: read_config(JointConfig, [str(path)], []))
    assert message in found and str(path) in found
    found = refused(lambda: read_config(JointConfig, [], [*tiny.BINDINGS, text]))
    assert message in found and "--gin_param" in found
    assert not ran.exists()


def test_the_payload_of_these_tests_would_be_seen(ran):
    importlib.import_module("payload")
    assert ran.exists()


def test_a_run_of_a_stranger_is_read_in_the_same_way(ran, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("{}")
    (run / "config.gin").write_text(tiny.config().as_gin() + "import payload\n")
    assert "'import payload' would import a module" in refused(lambda: read_run_config(run))
    assert not ran.exists()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that we are in, beside another."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.gin").write_text("train.seed = 7\n")
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def test_includes_are_of_this_folder_and_of_shipped_files(folder):
    bindings = "\n".join(tiny.BINDINGS)
    (folder / "base.gin").write_text(f"{bindings}\ntrain.seed = 5\n")
    (folder / "over.gin").write_text("include 'base.gin'\n")
    assert read_config(JointConfig, ["over.gin"], []).train.seed == 5
    (folder / "shipped.gin").write_text("include 'gin/cifar10.gin'\ntrain.seed = 6\n")
    config = read_config(JointConfig, ["shipped.gin"], [])
    assert (config.data.dataset, config.train.seed) == ("cifar10", 6)


@pytest.mark.parametrize("name", ["{other}/secret.gin", "../elsewhere/secret.gin", "/etc/passwd"])
def test_includes_of_elsewhere_are_refused(folder, name):
    name = name.format(other=folder.parent / "elsewhere")
    (folder / "over.gin").write_text(f"include {name!r}\n")
    found = refused(lambda: read_config(JointConfig, ["over.gin"], []))
    assert f"include {name!r} is not followed: give a file below the folder you are in" in found


def test_what_is_included_is_looked_at_too(folder, ran):
    (folder / "base.gin").write_text("import payload\n")
    (folder / "over.gin").write_text("include 'base.gin'\n")
    assert "would import a module" in refused(lambda: read_config(JointConfig, ["over.gin"], []))
    assert not ran.exists()
    (folder / "base.gin").write_text("include 'over.gin'\n")
    assert "is included by what" in refused(lambda: read_config(JointConfig, ["over.gin"], []))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.steps = (\n", "EOF in multi-line statement"),
        ("train.steps = '''\n", "EOF in multi-line string"),
        ("train.steps = " + "(" * 5000 + ")" * 5000, "values are nested too deeply"),
        ("train.steps = " + "9" * 5000, "Failed to parse token"),
        ("A = %B\nB = %A\ntrain.seed = %A", "refers to a macro (%NAME) that refers to itself"),
        ("\0", "Unexpected token"),
        ("# " + "x" * 2**20, "it is no gin file"),
    ],
)
def test_files_that_are_none_end_in_one_short_line(tmp_path, text, message):
    path = tmp_path / "bad.gin"
    path.write_text("\n".join([*tiny.BINDINGS, text]))
    found = refused(lambda: read_config(JointConfig, [str(path)], []))
    assert message in found and len(found) < 1000
