"""Training steps against PyTorch: the same losses from the same weights, or a refusal.

PyTorch itself takes part where ROBGAN_PYTORCH_PYTHON names an interpreter that has it.
"""

import dataclasses
import os

import pytest

from robgan_tf.errors import UserError
from tools.benchmarks import peers, pytorch_tasks
from tools.benchmarks.options import Options
from tools.benchmarks.pytorch_step import check_first_losses
from tools.benchmarks.timing import Variant

GIN_FILES = ["gin/cifar10.gin", "gin/finetune/adversarial_training.gin"]
FORMS = peers.FORMS["float32"]
D = ["ResNetDiscriminator.base_width=4", "ResNetDiscriminator.widths='1, 2-, 2'"]
G = ["ResNetGenerator.base_width=4", "ResNetGenerator.widths='2; 2, 1, 1'"]


@pytest.fixture
def python():
    found = os.environ.get("ROBGAN_PYTORCH_PYTHON")
    if not found:
        pytest.skip("ROBGAN_PYTORCH_PYTHON is not set")
    return found


@pytest.fixture(scope="module")
def updates():
    """Two updates of adversarial training."""
    bindings = [*D, peers.SMALL_RATE, "finetune.batch_size=8"]
    return pytorch_tasks.classifier_task(GIN_FILES, bindings, updates=2)


def test_an_update_of_the_classifier_moves_its_loss(updates):
    first, second = updates.losses
    assert second < first
    assert updates.arrays["starts"].shape == (2, 8, 32, 32, 3)


def test_every_form_trains_the_classifier_to_our_losses(python, updates):
    assert max(check_first_losses(python, updates, form) for form in FORMS) < 1e-4


def test_every_form_makes_our_step_of_joint_training(python):
    bindings = [*D, *G, "train.batch_size=4", "train.discriminator_updates=1"]
    task = pytorch_tasks.joint_task(GIN_FILES[0], bindings)
    assert max(check_first_losses(python, task, form) for form in FORMS) < 1e-4


@pytest.mark.parametrize("form", FORMS)
def test_another_attack_is_refused(python, updates, form):
    other = dataclasses.replace(updates, settings={**updates.settings, "steps": 4})
    with pytest.raises(ValueError, match=form):
        check_first_losses(python, other, form)


def test_peers_need_an_interpreter():
    bindings = [*D, "finetune.batch_size=4"]
    with pytest.raises(UserError, match="--pytorch_python"):
        peers.adversarial_training(GIN_FILES, bindings, Options(1, None, None))


@pytest.mark.parametrize("instructions", [[], ["amx_bf16"]])
def test_bfloat16_is_timed_where_the_processor_has_it(monkeypatch, instructions):
    class Step:
        def __init__(self, python, task, form, precision, threads):
            self.precision, self.versions = precision, {"torch": "2"}

        def variant(self, name):
            return Variant(name, float, 1, None, self.precision)

        def close(self):
            pass

    monkeypatch.setattr(peers, "PyTorchStep", Step)
    monkeypatch.setattr(peers, "check_first_losses", lambda *arguments: 0.0)
    monkeypatch.setattr(peers, "bfloat16_instructions", lambda: instructions)
    monkeypatch.setattr(peers, "timed", lambda variants, options: {"rows": variants})
    found = peers.adversarial_training(
        GIN_FILES, [*D, "finetune.batch_size=4"], Options(1, None, "python")
    )
    names = [variant.name for variant in found["rows"] if "bfloat16" in variant.name]
    wanted = ["PyTorch, guides", "PyTorch, rewrites", "robgan_tf"] if instructions else []
    assert names == [f"{name}, bfloat16" for name in wanted]
    assert [row.precision for row in found["rows"]].count("float32") == 4
    assert ("left_out" in found) == (not instructions)
