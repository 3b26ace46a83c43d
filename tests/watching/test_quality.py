"""Quality while training: alarms on planted failures of real runs, silence on a healthy one."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.choices import SOURCE_LOSSES
from robgan_tf.config.groups import AlarmSettings, QualitySettings
from robgan_tf.data import load_image_data, scale_images, training_batches
from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from robgan_tf.losses import SourceLoss
from robgan_tf.quality import generated_set
from robgan_tf.quality.extractors import open_extractor
from robgan_tf.watching import quality
from robgan_tf.watching.quality import QualityMeter
from tests import kept_steps, tiny
from tests.training.reusable import Reusable

RATES = ("discriminator_optimizer.learning_rate = 2e-3",)
HELD_OUT = "data.validation_examples = 200"


@pytest.fixture(scope="module")
def data():
    return load_image_data(**tiny.config(HELD_OUT).data.loading(None))


@pytest.fixture(scope="module", autouse=True)
def shared_graphs():
    """Meters of the same models are of one compilation."""
    with pytest.MonkeyPatch.context() as patched:
        kept_steps.keep_quality(patched)
        yield


def train(data, steps, run, permuted=False):
    """The players of a run on real digits after some steps from where training begins."""
    players, step = run.from_the_start()
    batches = training_batches(
        data.train,
        batch_size=step.batch_size,
        updates_per_step=step.discriminator_updates,
        seed=0,
        start_step=0,
        augmentation="none",
        dequantize=True,
    )
    for number, batch in zip(range(1, steps + 1), batches, strict=False):
        labels = batch["labels"]
        if permuted:
            labels = tf.random.stateless_uniform(labels.shape, [number, 0], 0, 10, labels.dtype)
        step(batch["images"], labels, tf.constant(number, tf.int64))
    return players


def meter(data, players, folder, history=(), source_loss="bce", **settings):
    return QualityMeter(
        players,
        open_extractor("pixels", 16, 1),
        data,
        QualitySettings(**({"images": 200, "real_images": 500} | settings)),
        AlarmSettings(from_step=10),
        reference=(folder, "digits"),
        history=history,
        seed=0,
        source_loss=SOURCE_LOSSES.get(source_loss) if isinstance(source_loss, str) else source_loss,
    )


@pytest.fixture(scope="module")
def run():
    return Reusable(
        *RATES,
        "train.batch_size = 32",
        "train.discriminator_updates = 1",
        "train.average_decay = 0.98",
        "generator_optimizer.learning_rate = 1e-3",
        "ProjectedGradientDescent.epsilon = 0.03",
        "ProjectedGradientDescent.step_size = 0.02",
    )


@pytest.fixture(scope="module")
def of_permuted_labels(data, run, tmp_path_factory):
    """What was measured of the run where labels do not belong to their images."""
    return meter(data, train(data, 60, run, permuted=True), tmp_path_factory.mktemp("one"))(300)


@pytest.fixture(scope="module")
def healthy(data, run, of_permuted_labels):
    # At half as many the accuracy is near the bound below, and rounding decides.
    return train(data, 500, run)


def test_a_healthy_run_is_silent_and_measured(data, healthy, tmp_path):
    values, alarms = meter(data, healthy, tmp_path)(500)
    assert alarms == {}
    assert values["diversity/worst_class"] > 0.5
    assert values["accuracy_class/held_out"] > 0.2
    assert values["fid/pixels-area8/train500-200"] > 0.0
    again, _ = meter(data, healthy, tmp_path)(500)
    assert again == values


def test_a_generator_that_ignores_z_has_collapsed(data, healthy, tmp_path):
    average = healthy.average_generator
    kernel = average.dense.kernel.numpy()
    average.dense.kernel.assign(np.zeros_like(kernel))
    values, alarms = meter(data, healthy, tmp_path)(500)
    average.dense.kernel.assign(kernel)
    assert values["diversity/worst_class"] < 1e-3
    assert values["ms_ssim/worst_class_generated"] > 0.999
    assert {"diversity", "repetition", "similarity"} <= set(alarms)
    assert values["alarm/diversity"] == 1.0


def test_a_generator_that_repeats_three_images_of_a_class_has_collapsed(
    data, healthy, tmp_path, monkeypatch
):
    def few(count, seed, num_classes):
        return np.arange(count, dtype=np.int32) % num_classes

    # Of a compilation of its own.
    monkeypatch.setattr(quality, "GeneratedSet", generated_set.GeneratedSet)
    usual = generated_set.normal_latents
    monkeypatch.setattr(generated_set, "generated_labels", few)
    # Latents of image number % 30: three of each class.
    monkeypatch.setattr(
        generated_set,
        "normal_latents",
        lambda seeds, *others: tf.gather(usual(seeds, *others), tf.range(tf.shape(seeds)[0]) % 30),
    )
    values, alarms = meter(data, healthy, tmp_path, images=90)(500)
    assert values["diversity/mean"] > 0.4
    assert values["diversity/nearest_mean"] < 1e-2
    assert list(alarms) == ["repetition"]


def test_a_discriminator_that_always_wins_is_saturated(data, tmp_path):
    run = Reusable(
        *RATES,
        "generator_optimizer.learning_rate = 1e-12",
        "ResNetDiscriminator.normalization = 'none'",
        "ProjectedGradientDescent.steps = 0",
        "ProjectedGradientDescent.epsilon = 0.0",
    )
    values, alarms = meter(data, train(data, 300, run), tmp_path)(300)
    assert values["realness/fake"] < 0.02
    assert "D is saturated" in alarms["saturation"]


def test_the_discriminator_judges_g_itself_and_held_out_images(data, healthy, tmp_path):
    values, _ = meter(data, healthy, tmp_path)(500)
    average = [variable.numpy() for variable in healthy.average_generator.variables]
    for variable in healthy.average_generator.variables:
        variable.assign(tf.zeros_like(variable))
    of_other_average, _ = meter(data, healthy, tmp_path)(500)
    for variable, value in zip(healthy.average_generator.variables, average, strict=True):
        variable.assign(value)
    held_out = ("realness/fake", "accuracy_class/generated", "realness/real")
    assert all(of_other_average[name] == values[name] for name in held_out)
    assert of_other_average["diversity/mean"] < 0.1 * values["diversity/mean"]
    # D's own verdict on the held-out images, and on none that it was trained with.
    right = [
        tf.argmax(healthy.discriminator(scaled, training=False)[1], axis=1).numpy() == source.labels
        for source in (data.validation, data.train)
        for scaled in [scale_images(source.fetch(np.arange(len(source))))]
    ]
    assert values["accuracy_class/held_out"] == pytest.approx(np.mean(right[0]), abs=1e-6)
    assert abs(np.mean(right[0]) - np.mean(right[1])) > 1e-3


class Certain:
    """A D of logits +- 1.5, where hinge is 0 everywhere and a sigmoid 0.82."""

    class_head, num_classes = None, 10

    def __init__(self, logit=1.5):
        self._logit = logit

    def __call__(self, images, labels, training):
        bright = tf.reduce_mean(images, axis=[1, 2, 3]) > -2.0
        return tf.where(bright, self._logit, -self._logit), None


def test_hinge_saturates_at_its_margin(data, healthy, tmp_path):
    players = dataclasses.replace(healthy, discriminator=Certain())
    values, alarms = meter(data, players, tmp_path)(500)
    assert values["realness/real"] == pytest.approx(1 / (1 + np.exp(-1.5)), rel=1e-5)
    assert "saturation" not in alarms
    values, alarms = meter(data, players, tmp_path, source_loss="hinge")(500)
    assert values["realness/real"] == 1.0
    assert "real images as real with 1.000" in alarms["saturation"]


class Doubtful(SourceLoss):
    """A loss that is never certain, or does not say: neither hinge's margin nor a sigmoid."""

    def __init__(self, realness):
        self._realness = realness

    def discriminator_real(self, logits):
        return -logits

    def discriminator_fake(self, logits):
        return logits

    def generator(self, logits):
        return -logits

    def realness(self, logits):
        return None if self._realness is None else tf.fill(tf.shape(logits), self._realness)


@pytest.mark.parametrize("realness", [0.25, None])
def test_a_third_loss_is_judged_by_its_own_measure(data, healthy, tmp_path, realness):
    # By a sigmoid and by hinge's margin alike this D would be certain of everything.
    players = dataclasses.replace(healthy, discriminator=Certain(50.0))
    values, alarms = meter(data, players, tmp_path, source_loss=Doubtful(realness))(500)
    assert values.get("realness/real") == realness
    assert "saturation" not in alarms
    _, alarms = meter(data, players, tmp_path, source_loss="bce")(500)
    assert "saturation" in alarms


def test_a_class_of_equal_real_images_has_nothing_to_lose(data, healthy, tmp_path):
    pixels = data.train.fetch(np.arange(len(data.train)))
    pixels[data.train.labels == 3] = 7
    train_images = InMemorySource(pixels, data.train.labels, data.class_names, 16)
    values, _ = meter(dataclasses.replace(data, train=train_images), healthy, tmp_path)(500)
    assert values["ms_ssim/worst_class_real"] < 1.0
    assert all(np.isfinite(value) for value in values.values())


def test_too_few_images_to_see_a_collapse_are_refused(data, tmp_path):
    players, _ = tiny.build()
    players = dataclasses.replace(players, average_generator=SimpleNamespace(num_classes=11))
    with pytest.raises(UserError, match=r"too few to see a collapse of each of 11 classes.* 22,"):
        meter(data, players, tmp_path, images=20)


def test_labels_that_do_not_belong_to_the_images_leave_accuracy_at_chance(of_permuted_labels):
    _, alarms = of_permuted_labels
    assert "do the labels belong to the images?" in alarms["classes"]


def test_a_distance_far_above_the_best_before_is_seen_and_what_comes_after_is_not_the_past(
    data, healthy, tmp_path
):
    name = "fid/pixels-area8/train500-200"
    value = meter(data, healthy, tmp_path)(500)[0][name]
    past = [{"step": 400, name: value / 3}]
    assert "3.0 times its best" in meter(data, healthy, tmp_path, past)(500)[1]["worsening"]
    assert meter(data, healthy, tmp_path, past)(400)[1] == {}
    assert meter(data, healthy, tmp_path, past)(5)[1] == {}


def test_the_score_is_higher_for_the_better(data, healthy, tmp_path):
    values, _ = meter(data, healthy, tmp_path)(500)
    fid = values["fid/pixels-area8/train500-200"]
    assert meter(data, healthy, tmp_path, best="fid").score(values) == -fid
    precision = values["precision/pixels-area8/train500-200"]
    assert meter(data, healthy, tmp_path, best="precision").score(values) == precision
    assert meter(data, healthy, tmp_path).score(values) is None


def test_the_inception_score_needs_logits(data, healthy, tmp_path):
    with pytest.raises(UserError, match="pixels-area8 gives no class logits"):
        meter(data, healthy, tmp_path, best="is")


@pytest.mark.parametrize("head", ["projection", "none"])
def test_runs_without_a_class_head_are_measured_too(data, tmp_path, head):
    players, _ = tiny.build(f"ResNetDiscriminator.head = '{head}'")
    values, _ = meter(data, players, tmp_path)(500)
    assert "accuracy_class/held_out" not in values
    assert 0.0 < values["realness/real"] < 1.0
    assert values["diversity/mean"] > 0.0
