"""Choices as files: listed without importing, found by name, added from outside."""

import subprocess
import sys

import pytest
import tensorflow as tf

import robgan_tf
from robgan_tf import choices
from robgan_tf.choices import FOLDERS, SOURCE_LOSSES, Choices
from robgan_tf.config.configuration import as_gin
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.groups import AlarmSettings, LossSettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.losses import AdversarialLoss, SourceLoss
from robgan_tf.quality.alarms import collapse_alarms
from tests import tiny


class Absurd(SourceLoss):
    """A loss like no other: any mix-up with a known one shows."""

    threshold = 7.0

    def discriminator_real(self, logits):
        return 100.0 + 0.0 * logits

    def discriminator_fake(self, logits):
        return 200.0 + 0.0 * logits

    def generator(self, logits):
        return 3.0 * logits - 5.0

    def realness(self, logits):
        return tf.ones_like(logits) * 0.25


@pytest.fixture
def registered(monkeypatch):
    """Lets a test register what no other test sees."""
    monkeypatch.setattr(choices, "_registered", dict(choices._registered))
    monkeypatch.setattr(choices, "_origins", {})
    return robgan_tf.register


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_a_folder_is_a_choice_of_its_kind(folder):
    of_folder = FOLDERS[folder]
    assert of_folder.shipped()
    for name, line in of_folder.described().items():
        of_folder.check_contract(name, of_folder.get(name))
        assert line.endswith("."), f"{folder}/{name} does not say in one line what it is"


def test_a_setting_is_checked_without_tensorflow():
    program = (
        "import sys; from robgan_tf.config.groups import LossSettings\n"
        "LossSettings(source='hinge').check_choices()\n"
        "from robgan_tf.choices import FOLDERS\n"
        "assert all(folder.described() for folder in FOLDERS.values())\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_name_that_does_not_exist_is_one_line_that_lists_those_that_do():
    with pytest.raises(UserError) as error:
        tiny.config("AdversarialLoss.source = 'nope'")
    assert str(error.value).startswith(
        "AdversarialLoss.source = 'nope' does not exist; choose one of 'bce', 'hinge'"
    )
    with pytest.raises(UserError, match="the source loss 'nope' does not exist; choose one of"):
        SOURCE_LOSSES.get("nope")
    with pytest.raises(UserError, match=r"'losses/sauce'; choose one of losses/source"):
        robgan_tf.register("losses/sauce", "x", Absurd())


def test_names_may_have_dashes_where_modules_cannot():
    folder = Choices("losses/source", "thing", "builtins:object", separator="-")
    assert set(Choices("losses", "thing", "builtins:object", "-").shipped()) >= {"source-loss"}
    assert folder.get("bce") is SOURCE_LOSSES.get("bce")


def test_a_third_loss_is_itself_everywhere(registered):
    registered("losses/source", "absurd", Absurd())
    config = tiny.config("AdversarialLoss.source = 'absurd'")
    loss = AdversarialLoss(**vars(config.loss))
    logits = tf.constant([2.0, -1.0])
    assert loss.discriminator_real(logits, None, None).total.numpy().tolist() == [100.0, 100.0]
    assert loss.discriminator_fake(logits, None, None).total.numpy().tolist() == [200.0, 200.0]
    assert loss.generator(logits, None, None).total.numpy().tolist() == [1.0, -8.0]


def test_a_loss_that_knows_no_certainty_raises_no_saturation():
    values = {"diversity/mean": 1.0}
    assert collapse_alarms(values, [], AlarmSettings(), 0, 10) == {}
    certain = {"realness/real": 1.0, "realness/fake": 0.0}
    assert "saturation" in collapse_alarms(values | certain, [], AlarmSettings(), 0, 10)


def test_names_are_taken_once(registered):
    registered("losses/source", "absurd", Absurd())
    for name in ("absurd", "bce"):
        with pytest.raises(UserError, match=f"source loss '{name}' exists already"):
            registered("losses/source", name, Absurd())


def test_what_is_no_loss_is_refused(registered):
    with pytest.raises(UserError, match=r"'x' is a int; it must be an instance of .*SourceLoss"):
        registered("losses/source", "x", 3)


def test_a_class_is_registered_by_its_decorator(registered):
    @registered("losses/source", "absurd")
    class Decorated(Absurd):
        pass

    assert isinstance(SOURCE_LOSSES.get("absurd"), Decorated)
    assert SOURCE_LOSSES.names()[-1] == "absurd"
    assert "absurd" not in SOURCE_LOSSES.shipped()


class Entry:
    """An entry point of an installed package."""

    name, value = "theirs", "their_package.losses"

    def __init__(self, load):
        self.load = load


@pytest.fixture
def installed(monkeypatch, registered):
    """Sets what entry points load; cleared afterwards."""

    def install(load):
        monkeypatch.setattr(choices.importlib.metadata, "entry_points", lambda group: [Entry(load)])
        choices._load_entry_points.cache_clear()

    yield install
    choices._load_entry_points.cache_clear()


def test_an_installed_package_adds_a_choice_when_its_name_is_asked_for(installed, registered):
    loaded = []

    def load():
        loaded.append(1)
        registered("losses/source", "absurd", Absurd())

    installed(load)
    LossSettings(source="hinge").check_choices()
    assert not loaded
    LossSettings(source="absurd").check_choices()
    assert SOURCE_LOSSES.names()[-1] == "absurd"
    assert loaded == [1]


def test_an_installed_package_that_cannot_be_imported_is_named(installed):
    def load():
        raise ImportError("no module")

    installed(load)
    with pytest.raises(UserError, match=r"theirs .*\(their_package.losses\) cannot be imported"):
        SOURCE_LOSSES.get("absurd")


def test_a_finished_run_is_read_without_the_program_that_brought_its_loss(registered, tmp_path):
    config = tiny.config()
    path = tmp_path / "config.gin"
    groups = [
        LossSettings(source="theirs") if isinstance(group, LossSettings) else group
        for group in config.groups()
    ]
    path.write_text(as_gin(groups))
    assert read_config(JointConfig, [path], [], any_choice=True).loss.source == "theirs"
    choices.explain_missing("losses/source", "theirs", "it comes from theirs.py")
    with pytest.raises(UserError, match=r"'hinge'.* \(it comes from theirs.py\)$"):
        read_config(JointConfig, [path], [])
