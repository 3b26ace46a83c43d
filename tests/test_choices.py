"""Choices as files: listed without importing, found by name, added from outside."""

import dataclasses
import subprocess
import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

import robgan_tf
from robgan_tf import choices
from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.attacks.ball import flat
from robgan_tf.attacks.norm import Norm
from robgan_tf.attacks.pgd_search import fgsm
from robgan_tf.attacks.protocol import EvaluationProtocol, make_attacks
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.choices import FOLDERS, SOURCE_LOSSES, Choices
from robgan_tf.comparison.measures import better_direction, is_of_features
from robgan_tf.config.configuration import as_gin
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.groups import AlarmSettings, LossSettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import load_image_data
from robgan_tf.data.dataset_kind import DatasetKind, OpenedDataset
from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from robgan_tf.losses import AdversarialLoss, SourceLoss
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.models.building import build_model
from robgan_tf.models.classifier_network import ClassifierNetwork
from robgan_tf.quality.alarms import collapse_alarms
from robgan_tf.quality.image_features import ImageFeatures
from robgan_tf.quality.measure import LOWER, Measure, Number
from robgan_tf.quality.scores import quality
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.masking import Reported, masking_report
from robgan_tf.robustness.run import Protocol
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.verification import PerturbationError, perturbation_norms, verify
from robgan_tf.stages.agreement import check_sources
from robgan_tf.stages.build import build_classifier
from robgan_tf.stages.build_joint import build_adversary
from robgan_tf.units import format_radius
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
        "import sys\n"
        "from robgan_tf.config.groups import GeneratorOptimizerSettings, LossSettings\n"
        "LossSettings(source='hinge').check_choices()\n"
        "GeneratorOptimizerSettings(schedule='linear', decay_end=9).check_choices()\n"
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


class Taxicab(Norm):
    """The sum of absolute changes: neither of the norms that the package has."""

    def norm(self, perturbation):
        return tf.reduce_sum(tf.abs(flat(perturbation)), axis=1)

    def ascent(self, gradient):
        return tf.sign(gradient) / tf.cast(tf.size(gradient[0]), gradient.dtype)

    def project(self, perturbation, epsilon):
        length = tf.maximum(self.norm(perturbation), 1e-12)
        return perturbation * tf.minimum(epsilon / length, 1.0)[:, None, None, None]

    def random(self, shape, epsilon, seed, dtype):
        return tf.zeros(shape, dtype)

    def distance(self, change):
        return np.abs(change).sum(axis=1)

    def grey_radius(self, values):
        return float(values)


def test_a_third_norm_is_itself_for_attack_verifier_and_reports(registered):
    registered("attacks/norms", "taxicab", Taxicab())
    images = tf.zeros([2, 2, 2, 1])
    attack = ProjectedGradientDescent(1.0, 1, 5.0, norm="taxicab")
    attacked = attack(lambda x: tf.reduce_sum(x, axis=[1, 2, 3]), images).numpy()
    np.testing.assert_allclose(attacked, np.full([2, 2, 2, 1], 0.25))
    np.testing.assert_allclose(perturbation_norms(images, attacked, "taxicab"), [1.0, 1.0])
    assert format_radius(0.5, "taxicab") == "0.5 in TAXICAB (63.75/255 in TAXICAB)"
    assert attack.norm == "taxicab"
    with pytest.raises(ValueError, match="SquareSearch knows no moves in the norm 'taxicab'"):
        SquareSearch(1.0, norm="taxicab")
    assert read_config(
        JointConfig, [], [*tiny.BINDINGS, "ProjectedGradientDescent.norm = 'taxicab'"]
    )


def test_a_third_norm_is_itself_in_an_evaluation(registered):
    """On a linear model its steps change the margin by the radius times the mean weight."""
    registered("attacks/norms", "taxicab", Taxicab())
    random, labels = np.random.default_rng(0), np.zeros(40, np.int32)
    images = random.uniform(-0.5, 0.5, [40, 3, 3, 1]).astype(np.float32)
    weights = random.normal(size=9).astype(np.float32)

    def logits(images):
        score = tf.linalg.matvec(flat(images), weights)
        return tf.stack([2.0 + score, tf.zeros_like(score)], axis=1)

    margins = 2.0 + images.reshape(40, 9) @ weights
    radius = float(np.median(margins) / np.abs(weights).mean())
    attack, classifier = fgsm(radius, "taxicab"), Classifier("x", logits, "x")
    compiled = CompiledClassifier(classifier, (3, 3, 1))
    outcome = RobustnessEvaluation(compiled, [attack]).run(images, labels)
    moved = np.clip(images.reshape(40, 9) - radius / 9 * np.sign(weights), -1.0, 1.0) @ weights
    np.testing.assert_array_equal(outcome.survived, 2.0 + moved > 0)
    assert 0 < outcome.survived.sum() < 40

    def check(epsilon):
        adversarial, survived = outcome.adversarial, outcome.survived
        return verify(classifier, images, labels, adversarial, survived, epsilon, "taxicab")

    change = (outcome.adversarial - images).reshape(40, 9)
    np.testing.assert_allclose(check(radius), np.abs(change).sum(axis=1), rtol=1e-5)
    # Far within the ball of any other norm's.
    farthest = np.abs(change).sum(axis=1).max()
    assert np.linalg.norm(change, axis=1).max() < 0.5 * farthest
    with pytest.raises(PerturbationError, match="is farther than"):
        check(farthest - 1e-4)
    reported = Reported("fgsm", outcome.survived)
    report = masking_report(compiled, images, labels, reported, radius, "taxicab")
    names = [check.name for check in report]
    # Square search knows no moves in it, and says nothing.
    assert "white box is at least as strong as black box" not in names
    assert "accuracy falls to about 0 as the radius grows" in names
    assert any(check.figures.endswith("% at 9; allowed up to 5.0%") for check in report)


class Grey(TrainingAttack):
    """An attack that makes every image grey, as far as the radius lets it."""

    def __init__(self, epsilon, steps, step_size, norm, random_start, relative_step):
        self.epsilon, self.steps, self.norm = epsilon, steps, norm

    def __call__(self, loss_fn, images, seed=None, epsilon=None):
        return images - tf.clip_by_value(images, -epsilon, epsilon)


def test_another_attack_of_training_can_be_bound(registered):
    registered("attacks/training", "grey", Grey)
    config = tiny.config(
        "TrainingAdversary.attack = 'grey'", "ProjectedGradientDescent.epsilon = 0.5"
    )
    adversary = build_adversary(config)
    images, labels = tiny.batch()
    attacked, of_images = adversary.perturb(None, images[0], labels[0], tf.constant(1), None)
    np.testing.assert_allclose(attacked, np.sign(images[0]) * np.maximum(abs(images[0]) - 0.5, 0))
    # What its gradients were it does not tell; an image that is not finite is seen all the same.
    np.testing.assert_allclose(of_images, np.sum(attacked), rtol=1e-5)
    with pytest.raises(
        UserError, match="free adversarial training takes an attack step by step, which Grey"
    ):
        build_adversary(
            tiny.config("TrainingAdversary.attack = 'grey'", "TrainingAdversary.free = True")
        )


class Whole(EvaluationProtocol):
    """FGSM on two images, at a radius of its own."""

    images = 2

    def attacks(self, epsilon, norm, num_classes):
        return [fgsm(epsilon, norm)]

    def extra_radii(self, norm):
        return (0.5,)


def test_another_protocol_brings_its_radii_and_images(registered):
    registered("attacks/protocols", "two-images", Whole())
    protocol = Protocol("two-images", (0.02,))
    assert protocol.radii == [0.02, 0.5]
    assert make_attacks("two-images", 0.1, "linf", 10)[0].name == "fgsm"
    with pytest.raises(UserError, match=r"the attack 'nope' does not exist; .* 'two-images'$"):
        make_attacks("nope", 0.1, "linf", 10)


class Brightness(Measure):
    """How much brighter generated features are: better where it is lower."""

    numbers: ClassVar = {"brightness": Number("a difference of means", LOWER)}

    def compute(self, compared):
        return {"brightness": float(compared.fake_rows.mean() - compared.real_rows.mean())}


def test_another_measure_is_computed_named_compared_and_may_choose_the_best(registered):
    registered("quality/measures", "brightness", Brightness())
    rows = np.arange(60, dtype=np.float32).reshape(30, 2)
    real, fake = (
        ImageFeatures(features, None, np.zeros(30, np.int32)) for features in (rows, rows + 2.0)
    )
    assert quality(real, fake, "net", "train")["brightness/net/train30-30"] == 2.0
    assert better_direction("brightness/net/train30-30") == LOWER
    assert is_of_features("brightness/net/train30-30")
    assert tiny.config("quality.best = 'brightness'").quality.best == "brightness"
    with pytest.raises(UserError, match=r"quality.best = 'is_deviation' does not exist; choose"):
        tiny.config("quality.best = 'is_deviation'")


class Stripes(DatasetKind):
    """Images of as many shades as there are classes."""

    def open(self, request):
        request.check_classes("ab")
        labels = np.arange(20) % 2
        pixels = np.ones([20, 8, 8, 1], np.uint8) * (100 * labels)[:, None, None, None]
        source = InMemorySource(pixels.astype(np.uint8), labels, "ab", request.resolution)
        return OpenedDataset("stripes", source, source, source.subset)


def test_another_kind_of_data_set_is_opened_by_its_name(registered):
    registered("data/datasets", "stripes", Stripes())
    settings = {"resolution": 8, "channels": 1, "num_classes": 2, "validation_examples": 4}
    data = load_image_data("stripes", **settings)
    assert (len(data.train), len(data.validation), data.class_names) == (16, 4, ("a", "b"))
    assert data.description.startswith("stripes: 16 training, 4 validation and 20 test images")
    with pytest.raises(UserError, match=r"has 2 classes, but data\.num_classes is 3"):
        load_image_data("stripes", **{**settings, "num_classes": 3})


class OneLayer(ClassifierNetwork):
    """A network of its author's own: D's class under another name, the smallest there is."""

    def build(self, config, precision, name):
        small = dataclasses.replace(config.discriminator, base_width=1, widths="1-")
        return build_model(ResNetDiscriminator, small, config.data, precision, name)


def test_another_network_is_built_by_its_name_and_does_not_start_from_d(registered):
    registered("models/classifiers", "one_layer", OneLayer())
    bindings = [*tiny.BINDINGS, "finetune.steps = 1", "finetune.network = 'one_layer'"]
    config = read_config(FinetuneConfig, [], bindings)
    network = build_classifier(config, "mine")
    assert network.name == "mine"
    assert network(tf.zeros([2, 16, 16, 1]))[1].shape == (2, 10)
    gan = SimpleNamespace(config=tiny.config(), path="gan")
    with pytest.raises(UserError, match="'one_layer' cannot start from the D of a run"):
        check_sources(config, gan, None)
