"""Reading gin files: overlays, types, bindings that nothing uses, the shipped files."""

import pathlib

import pytest

from robgan_tf.config.configuration import as_gin
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from tests import tiny

GIN = pathlib.Path(__file__).parents[2] / "gin"
BASES = sorted(GIN.glob("*.gin"))
# Those of reproduce describe runs and are no configurations.
OVERLAYS = [path for path in sorted(GIN.glob("*/*.gin")) if path.parent.name != "reproduce"]


@pytest.mark.parametrize("base", BASES, ids=lambda path: path.stem)
def test_every_shipped_file_is_complete(base):
    config = read_config(JointConfig, [base], [])
    assert config.train.steps > 0
    assert base.read_text().startswith("# ")


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_changes_the_file_it_is_laid_over(overlay):
    bases, kind = [GIN / "cifar10.gin"], JointConfig
    if overlay.parent.name == "finetune" or "finetune." in overlay.read_text():
        bases, kind = [*bases, GIN / "finetune" / "rob_gan.gin"], FinetuneConfig
    if overlay in bases:
        bases.append(overlay.parent / "clean.gin")
    plain = read_config(kind, bases, []).flat()
    laid = read_config(kind, [*bases, overlay], []).flat()
    bound = [line.split(" = ")[0] for line in overlay.read_text().splitlines() if " = " in line]
    assert bound and set(bound) <= set(laid)
    # losses/split.gin spells out what is also the default.
    assert laid != plain or overlay.stem == "split"


def test_later_files_and_parameters_win():
    config = read_config(
        JointConfig,
        [GIN / "cifar10.gin", GIN / "baselines" / "as_published.gin"],
        ["train.steps = 7"],
    )
    assert config.train.steps == 7
    assert config.discriminator.normalization == "batch"
    assert config.attack.epsilon == 0.07
    assert config.discriminator_optimizer.schedule == "halving"


@pytest.mark.parametrize(
    ("base", "overlay", "normalization"),
    [
        ("cifar10", "as_published", "batch"),
        ("imagenet143_64", "as_published_imagenet143", "none"),
        ("imagenet143_128", "as_published_imagenet143", "none"),
    ],
)
def test_published_settings_take_published_forms(base, overlay, normalization):
    config = read_config(JointConfig, [GIN / f"{base}.gin", GIN / f"baselines/{overlay}.gin"], [])
    assert config.generator.form == config.discriminator.form == "official_code"
    assert config.discriminator.normalization == normalization
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        assert (optimizer.epsilon, optimizer.epsilon_place) == (1e-8, "corrected")


@pytest.mark.parametrize(
    ("base", "overlay"),
    [
        ("finetune/rob_gan", "as_published"),
        ("finetune/adversarial_training", "preact_resnet18_as_published"),
    ],
)
def test_published_fine_tuning_takes_published_forms(base, overlay):
    files = [GIN / "cifar10.gin", GIN / f"{base}.gin", GIN / f"finetune/{overlay}.gin"]
    config = read_config(FinetuneConfig, files, [])
    optimizer = config.classifier_optimizer
    assert (optimizer.epsilon, optimizer.epsilon_place) == (1e-8, "corrected")
    if overlay == "preact_resnet18_as_published":
        assert config.finetune.network == "preact_resnet18"
        assert config.preact_resnet18.form == "official_code"


def test_sn_gan_is_that_of_its_code():
    config = read_config(JointConfig, [GIN / "cifar10.gin", GIN / "baselines/sn_gan.gin"], [])
    train, rate = config.train, config.generator_optimizer
    assert (train.batch_size, train.images_in_generator_update) == (64, 128)
    assert (train.steps, train.discriminator_updates) == (50000, 5)
    assert (rate.schedule, rate.decay_start, rate.decay_end) == ("linear", 0, 50000)
    # Chainer's Adam.
    assert (rate.epsilon, rate.epsilon_place) == (1e-8, "uncorrected")
    assert vars(config.discriminator_optimizer) == vars(rate)
    assert (config.generator.widths, config.generator.form) == ("sngan", "sngan")
    wanted = config.discriminator
    assert (wanted.head, wanted.normalization, wanted.use_bias) == ("projection", "spectral", True)
    assert (config.loss.source, config.attack.steps) == ("hinge", 0)


def test_settings_survive_being_written_as_gin(tmp_path):
    config = tiny.config()
    path = tmp_path / "again.gin"
    path.write_text(config.as_gin())
    assert read_config(JointConfig, [path], []) == config


def test_whole_numbers_serve_as_floats():
    assert tiny.config("ProjectedGradientDescent.epsilon = 1").attack.epsilon == 1.0


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("train.steps = None", "train.steps = None is a NoneType; it takes a whole number"),
        ("train.steps = 2.5", "train.steps = 2.5 is a float; it takes a whole number"),
        ("train.seed = True", "train.seed = True is a bool"),
        ("train.replicas = 'two'", "it takes a whole number or None"),
        ("data.dequantize = 1", "it takes True or False"),
        ("data.channels = 2", "data.channels = 2 does not exist; choose one of 1, 3"),
        ("train.average_decay = 1.0", "train.average_decay = 1.0 is too high; it must be below"),
        ("generator_optimizer.learning_rate = 0.0", "is too low; it must be above 0.0"),
        ("ProjectedGradientDescent.epsilon = 1e400", "is not a finite number"),
        ("AdversarialLoss.form = 'wgan'", "choose one of 'split', 'ac_gan'"),
        ("generator_optimizer.schedule = 'halving'", "needs generator_optimizer.halve_every"),
        ("discriminator_optimizer.schedule = 'linear'", "needs discriminator_optimizer.decay_end"),
        ("train.steps = %STEPS", "refers to a macro (%NAME) that no gin file defines"),
        ("train.steps = true", "values are Python literals"),
        ("train.steps =", "Unable to parse value"),
    ],
)
def test_bad_values_get_one_clear_line(binding, message):
    with pytest.raises(UserError) as error:
        tiny.config(binding)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_values_are_named():
    with pytest.raises(UserError, match=r"data.dataset, data.resolution, .* has no value"):
        read_config(JointConfig, [], ["train.steps = 3"])


def test_settings_of_another_command_are_let_pass_and_typos_are_not():
    bindings = [*tiny.BINDINGS, "finetune.steps = 3", "classifier_optimizer.learning_rate = 1.0"]
    assert read_config(JointConfig, [], bindings).train.steps == 4
    with pytest.raises(UserError, match="finetune"):
        read_config(JointConfig, [], [*bindings, "finetune.stepz = 3"])


def test_later_bindings_win_over_the_lowest():
    lowest = as_gin([tiny.config().data])
    bindings = ["finetune.steps = 1", "data.num_classes = 7"]
    bindings += [f"ProjectedGradientDescent.{name} = 0" for name in ("epsilon", "steps")]
    bindings += ["ProjectedGradientDescent.step_size = 0"]
    config = read_config(FinetuneConfig, [], bindings, lowest)
    assert (config.data.num_classes, config.data.resolution) == (7, 16)


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("finetune.generated_share = 0.001", "leaves no real or no generated image in a batch"),
        ("classifier_optimizer.drop_at = (5, 3)", "give ascending steps, such as"),
        ("classifier_optimizer.drop_at = 5", "it takes a tuple such as (1000, 2000)"),
        ("classifier_optimizer.schedule = 'drops'", "needs classifier_optimizer.drop_at"),
        ("classifier_optimizer.schedule = 'cosine'", "needs classifier_optimizer.decay_end"),
    ],
)
def test_bad_values_of_fine_tuning_get_one_clear_line(binding, message):
    with pytest.raises(UserError) as error:
        read_config(FinetuneConfig, [], [*tiny.BINDINGS, "finetune.steps = 3", binding])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_used_macros_are_fine_and_unused_ones_are_not():
    assert tiny.config("STEPS = 9", "train.steps = %STEPS").train.steps == 9
    with pytest.raises(UserError, match="nothing uses the binding STEPS"):
        tiny.config("STEPS = 9")
