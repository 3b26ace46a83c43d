"""Extensions: run once, part of the configuration, needed for training and not for sampling."""

import json

import pytest
import tensorflow as tf

from robgan_tf import choices, extensions
from robgan_tf.choices import SOURCE_LOSSES
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.errors import UserError
from robgan_tf.evaluate import main as evaluate
from robgan_tf.sample import main as sample
from robgan_tf.serving.exported_parts import build_part
from robgan_tf.stages.build import build_objective
from robgan_tf.stages.finished import open_run, read_run_config
from robgan_tf.train import main as train
from tests import tiny, tiny_classifier
from tests.eager import eagerly

DIGITS = tuple("0123456789")
LOSS = '''
"""A loss of its author's own."""

import robgan_tf
from robgan_tf.losses import SourceLoss


@robgan_tf.register("losses/source", "lopsided")
class Lopsided(SourceLoss):
    def discriminator_real(self, logits):
        return 3.0 - logits

    def discriminator_fake(self, logits):
        return logits + 5.0

    def generator(self, logits):
        return 7.0 + 0.0 * logits
'''


@pytest.fixture(autouse=True)
def nothing_left_over(monkeypatch):
    monkeypatch.setattr(choices, "_registered", dict(choices._registered))
    monkeypatch.setattr(choices, "_origins", {})


@pytest.fixture
def loss_file(tmp_path):
    path = tmp_path / "lopsided.py"
    path.write_text(LOSS)
    return path


def test_a_file_is_run_and_says_so(loss_file, capsys):
    (extension,) = extensions.load([loss_file])
    assert f"Extension {loss_file}: a program, run with your rights" in capsys.readouterr().out
    assert extension.provides == ("losses/source/lopsided",)
    assert len(extension.sha256) == 64
    assert type(SOURCE_LOSSES.get("lopsided")).__name__ == "Lopsided"
    extensions.load([])
    assert "lopsided" not in SOURCE_LOSSES


def test_the_same_file_can_be_loaded_again_with_other_content(loss_file):
    (first,) = extensions.load([loss_file])
    loss_file.write_text(LOSS + "# changed\n")
    (second,) = extensions.load([loss_file])
    assert first.name == second.name and first.sha256 != second.sha256


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("x = 1\n", "registers nothing: call robgan_tf.register in it"),
        ("x = 1\ny = 1 / 0\n", r"cannot be run: ZeroDivisionError: division by zero \(line 2\)"),
        ("def", r"cannot be run: SyntaxError"),
        (LOSS.replace("lopsided", "bce"), "the source loss 'bce' exists already"),
        (LOSS.replace("(SourceLoss)", ""), "it must be an instance of .*SourceLoss"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, content, message):
    path = tmp_path / "x.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as error:
        extensions.load([path])
    assert "\n" not in str(error.value)


def test_two_files_of_one_name_are_refused(tmp_path, loss_file):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / loss_file.name
    other.write_text(LOSS)
    with pytest.raises(UserError, match=r"two extensions are called lopsided\.py"):
        extensions.load([loss_file, other])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with a loss from outside, two steps of it."""
    folder = tmp_path_factory.mktemp("run")
    path = folder / "lopsided.py"
    path.write_text(LOSS)
    gin = folder / "tiny.gin"
    bindings = [line for line in tiny.BINDINGS if not line.startswith("train.steps")]
    bindings += ["AdversarialLoss.source = 'lopsided'", "quality.every = 0"]
    bindings += ["final_evaluation.images = 0", "train.log_every = 1"]
    gin.write_text("\n".join(bindings))
    arguments = [f"--gin_file={gin}", f"--run_dir={folder / 'run'}"]
    given = [*arguments, f"--extension={path}", "--gin_param=train.steps=1"]
    # It is made before what each test registers is kept from others.
    with eagerly(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(choices, "_registered", dict(choices._registered))
        assert train(given) == 0
    return folder / "run", path, arguments


def test_a_run_with_an_extension_trains_and_goes_on(trained, eagerly):
    run, path, arguments = trained
    given = [*arguments, f"--extension={path}", "--gin_param=train.steps=2"]
    assert train(given) == 0
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2]
    assert all(record["loss_generator/source"] == 7.0 for record in records)
    (recorded,) = json.loads((run / "config.json").read_text())["--extension"]
    assert recorded == extensions.load([path])[0].identity
    assert (run / "extensions" / "lopsided.py").read_text() == LOSS


def test_other_content_is_refused_and_shown(trained, tmp_path, capsys):
    run, _, arguments = trained
    changed = tmp_path / "lopsided.py"
    changed.write_text(LOSS.replace("7.0", "8.0"))
    before = (run / "metrics.jsonl").read_bytes()
    assert train([*arguments, f"--extension={changed}", "--gin_param=train.steps=9"]) == 2
    message = capsys.readouterr().err
    assert "--extension is ['lopsided.py sha256:" in message
    assert (run / "metrics.jsonl").read_bytes() == before


def test_a_run_that_goes_on_without_its_extension_is_told_which(trained, capsys):
    _, _, arguments = trained
    extensions.load([])
    assert train([*arguments, "--gin_param=train.steps=9"]) == 2
    message = capsys.readouterr().err
    assert "AdversarialLoss.source = 'lopsided' does not exist" in message
    assert "had it from lopsided.py sha256:" in message
    assert "give --extension=lopsided.py" in message


def test_models_of_a_run_are_used_without_its_extension(trained, capsys):
    run, _, _ = trained
    extensions.load([])
    assert read_run_config(run).loss.source == "lopsided"
    assert open_run(run).load_generator().latent_size == 16
    assert "realness" not in build_part(open_run(run), "classifier", DIGITS).signatures["classify"](
        tf.zeros([1, 16, 16, 1])
    )
    assert sample(["sheet", f"--run_dir={run}"]) == 0
    arguments = ["robustness", f"--run_dir={run}", "--attack=fgsm", "--images=10"]
    assert evaluate([*arguments, "--epsilons=0.1", "--nomasking"]) == 0


OBJECTIVE = '''
"""An objective of its author's own."""

import robgan_tf
from robgan_tf.losses import ObjectiveTerms, TrainingObjective, class_loss


@robgan_tf.register("losses/objective", "apart")
class Apart(TrainingObjective):
    uses_clean = True

    def attack_losses(self, logits, clean_logits, labels):
        return class_loss(logits, labels) - class_loss(clean_logits, labels)

    def terms(self, logits, clean_logits, labels, smoothing):
        losses = class_loss(logits, labels)
        gap = losses - class_loss(clean_logits, labels)
        return ObjectiveTerms(losses + self.divergence_weight * gap, losses, {"gap": gap})
'''


def test_an_objective_of_stage_2_from_a_file(tmp_path, eagerly):
    path = tmp_path / "apart.py"
    path.write_text(OBJECTIVE)
    extensions.load([path])
    bindings = [b for b in tiny.BINDINGS if not b.startswith(("train.", "ResNetGenerator"))]
    bindings += ["finetune.steps = 1", "finetune.objective = 'apart'"]
    bindings += ["finetune.divergence_weight = 3.0"]
    config = read_config(FinetuneConfig, [], bindings)
    step = tiny_classifier.build(build_objective(config.finetune))
    metrics = step(*tiny_classifier.batches(), tiny_classifier.step_number())
    kinds = {"real": "real_class", "fake": "fake_attacked_class"}
    means = {
        kind: metrics[f"loss_discriminator/{loss}"]
        + 3.0 * metrics[f"loss_discriminator/{kind}_gap"]
        for kind, loss in kinds.items()
    }
    total = float(metrics["loss_discriminator/total"])
    assert total == pytest.approx(float(means["real"] + 0.5 * means["fake"]), rel=1e-5)
    assert float(metrics["loss_discriminator/real_gap"]) > 0.0
    extensions.load([])
    with pytest.raises(UserError, match="objective of stage 2 'apart' does not exist; choose one"):
        build_objective(config.finetune)
