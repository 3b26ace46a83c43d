"""Training steps against PyTorch: the same losses from the same weights, or a refusal.

PyTorch itself takes part where ROBGAN_PYTORCH_PYTHON names an interpreter that has it.
"""

import dataclasses
import os

import pytest

from robgan_tf.errors import UserError
from tools.benchmarks import machine, peers, pytorch_tasks
from tools.benchmarks.options import Options
from tools.benchmarks.pytorch_step import check_first_losses

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


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("fpu avx2 avx_ne_convert", []),
        ("fpu avx512f avx512_bf16", ["avx512_bf16"]),
        ("avx512_bf16 amx_bf16 amx_int8", ["amx_bf16", "avx512_bf16"]),
    ],
)
def test_bfloat16_instructions_of_the_processor(tmp_path, monkeypatch, flags, found):
    path = tmp_path / "cpuinfo"
    path.write_text(f"model name\t: A processor\nflags\t\t: {flags}\n\nflags\t: amx_bf16\n")
    monkeypatch.setattr(machine, "CPU_INFO", path)
    assert machine.bfloat16_instructions() == found
    assert machine.describe()["processor"] == "A processor"


def test_a_machine_that_says_nothing_of_its_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "none")
    assert machine.bfloat16_instructions() == []
    assert machine.describe()["processor"] == "unknown processor"
