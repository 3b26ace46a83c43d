"""Networks from outside: trained, kept and found again, and refused where they do not fit."""

import json
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf import choices, extensions
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.errors import UserError
from robgan_tf.library.run import load_run
from robgan_tf.models.building import build_discriminator
from robgan_tf.models.network import Network
from robgan_tf.runs.checkpoints import load_weights
from robgan_tf.sample import main as sample
from robgan_tf.serving.exported_parts import build_part
from robgan_tf.stages.agreement import check_sources
from robgan_tf.stages.finished import open_run
from robgan_tf.train import main as train
from tests import tiny
from tests.eager import eagerly

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "extending" / "networks.md"
PLAIN = ("train.generator = 'plain'", "train.discriminator = 'plain'")
DIGITS = tuple("0123456789")


@pytest.fixture(autouse=True)
def nothing_left_over(monkeypatch):
    monkeypatch.setattr(choices, "_registered", dict(choices._registered))
    monkeypatch.setattr(choices, "_origins", {})


class Hidden(Network):
    """Layers where Keras 3 shows none to a checkpoint."""

    def __init__(self, name="hidden"):
        super().__init__(name=name)
        self.listed = [keras.layers.Dense(3), keras.layers.Dense(2)]
        self.named = {"one": keras.layers.Dense(6)}
        self.sequence = keras.Sequential([keras.layers.Dense(4)])
        self.seen = keras.layers.Dense(1)

    @property
    def example_shape(self):
        return (None, 5)

    def build_layers(self):
        for layer in (*self.listed, *self.named.values(), self.sequence, self.seen):
            layer.build((None, 5))


@pytest.mark.parametrize("strategy", [tf.distribute.get_strategy, tf.distribute.MirroredStrategy])
def test_a_checkpoint_holds_every_variable_wherever_its_layer_is(tmp_path, strategy):
    with strategy().scope():
        stored, loaded = Hidden(), Hidden()
        stored.build()
        loaded.build()
        path = tf.train.Checkpoint(model=stored).save(str(tmp_path / "step"))
        load_weights(path, {"model": loaded})
    # Nothing is stored twice.
    assert len(stored.variables) == len(tf.train.list_variables(path)) - 2 == 10
    for ours, theirs in zip(loaded.variables, stored.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The program of the page, as a file."""
    program = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    path = tmp_path_factory.mktemp("extension") / "plain.py"
    path.write_text(program[1])
    return path


@pytest.fixture(scope="module")
def trained(plain, tmp_path_factory):
    """A run of the page's networks, two steps of it in two sessions."""
    folder = tmp_path_factory.mktemp("run")
    bindings = [line for line in tiny.BINDINGS if not line.startswith("train.steps")]
    bindings += [*PLAIN, "quality.every = 0", "train.log_every = 1", "final_evaluation.images = 0"]
    (folder / "tiny.gin").write_text("\n".join(bindings))
    given = [f"--gin_file={folder / 'tiny.gin'}", f"--run_dir={folder / 'run'}"]
    with eagerly(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(choices, "_registered", dict(choices._registered))
        for steps in (1, 2):
            limit = f"--gin_param=train.steps={steps}"
            assert train([*given, f"--extension={plain}", limit]) == 0
    return folder / "run"


def test_networks_of_a_file_are_trained_go_on_and_are_found_again(trained, plain):
    records = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2]
    assert json.loads((trained / "config.json").read_text())["train.generator"] == "plain"
    extensions.load([plain])
    run = load_run(trained)
    assert type(run.generator).__name__ == "PlainGenerator"
    reader = tf.train.load_checkpoint(open_run(trained).checkpoint)
    stored = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map()]
    for variable in (*run.classifier.variables, *run.generator.variables):
        assert any(np.array_equal(variable.numpy(), value) for value in stored), variable.path
    assert run.sample(3, seed=1)[0].shape == (3, 16, 16, 1)


def test_networks_of_a_file_are_exported_without_their_normalization(trained, plain):
    extensions.load([plain])
    run = open_run(trained)
    images = np.linspace(-1, 1, 2 * 16 * 16, dtype=np.float32).reshape(2, 16, 16, 1)
    logits = run.load_classifier()(images)[1]
    served = build_part(run, "classifier", DIGITS).signatures["classify"](tf.constant(images))
    np.testing.assert_allclose(served["probabilities"], tf.nn.softmax(logits), atol=1e-6)


def test_without_the_file_it_is_said_which(trained, capsys):
    extensions.load([])
    assert sample(["sheet", f"--run_dir={trained}"]) == 2
    message = capsys.readouterr().err
    assert "the generator 'plain' does not exist; choose one of 'resnet'" in message
    assert "give --extension=plain.py" in message


def test_stage_2_starts_from_the_d_that_was_trained(trained, plain):
    extensions.load([plain])
    run = open_run(trained)
    bindings = [line for line in tiny.BINDINGS if not line.startswith(("train.", "ResNetG"))]
    bindings += ["finetune.steps = 1", "finetune.start = 'gan'"]
    other = read_config(FinetuneConfig, [], bindings)
    with pytest.raises(UserError, match=r"is 'plain' and finetune\.discriminator is 'resnet' here"):
        check_sources(other, run, None)
    same = read_config(FinetuneConfig, [], [*bindings, "finetune.discriminator = 'plain'"])
    check_sources(same, run, None)
    assert type(build_discriminator(same, "float32")).__name__ == "PlainDiscriminator"


def test_a_head_that_the_settings_ask_for_has_to_be_there(plain):
    extensions.load([plain])
    config = tiny.config(*PLAIN, "ResNetDiscriminator.head = 'none'")
    with pytest.raises(UserError, match=r"'plain' has a class head, and .* = 'none'"):
        build_discriminator(config, "float32")
