"""Micro-batches whose gradients are added up make the update of the whole batch."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.errors import UserError
from robgan_tf.layers.batch_normalization import BatchNormalization, _BatchStatistics
from robgan_tf.losses.objective.trades import Trades
from robgan_tf.stages.joint import JointStage
from tests import tiny, tiny_classifier

JOINT = (
    "train.batch_size = 64",
    "train.generator_batch_size = 32",
    "data.resolution = 8",
    "ResNetGenerator.widths = '2; 1'",
    "ResNetDiscriminator.widths = '1'",
)


@pytest.fixture
def no_batch_statistics(monkeypatch):
    """Batch normalization with its moving averages also in training, which then stay."""
    normalize = _BatchStatistics._normalize

    def by_moving_averages(self, inputs, gamma, beta, training, update_statistics):
        return normalize(self, inputs, gamma, beta, False, False)

    monkeypatch.setattr(_BatchStatistics, "_normalize", by_moving_averages)


def joint_step(parts):
    """Losses of two steps, and the models after them."""
    players, step = tiny.build(*JOINT, f"train.accumulation_steps = {parts}")
    images, labels = tiny.batch(2, 64)
    images = images[:, :, ::2, ::2]
    losses = [step(images, labels, tf.constant(k, tf.int64)) for k in (1, 2)]
    models = (players.discriminator, players.generator, players.average_generator)
    return losses, [variable.numpy() for model in models for variable in model.variables]


def largest_difference(one, other):
    """Of losses and variables; relative where they are above 1."""
    (losses, variables), (other_losses, other_variables) = one, other
    pairs = [
        *((a[name], b[name]) for a, b in zip(losses, other_losses, strict=True) for name in a),
        *zip(variables, other_variables, strict=True),
    ]
    return max(np.abs(a - b).max() / max(1.0, np.abs(a).max()) for a, b in pairs)


def test_4_x_16_make_the_joint_step_of_64(no_batch_statistics):
    whole, parts = joint_step(1), joint_step(4)
    assert set(whole[0][0]) == set(parts[0][0])
    assert largest_difference(whole, parts) < 1e-5


def classifier_step(parts):
    step = tiny_classifier.build(
        tiny_classifier.changed_objective(
            loss=Trades(4.0), lipschitz_weight=0.01, generated_label_smoothing=0.1
        ),
        normalization="spectral",
        average_decay=0.9,
        accumulation_steps=parts,
    )
    real, generated = tiny_classifier.batches(48, 16)
    # One step of rate 1: a second would start where rounding has moved the attack's signs.
    losses = [step(real, generated, tiny_classifier.step_number())]
    models = (step.players.classifier, step.players.average_classifier)
    return losses, [variable.numpy() for model in models for variable in model.variables]


def test_4_x_16_make_the_classifier_step_of_64():
    whole, parts = classifier_step(1), classifier_step(4)
    assert set(whole[0][0]) == set(parts[0][0])
    assert largest_difference(whole, parts) < 1e-5


def test_batch_normalization_takes_statistics_of_each_micro_batch():
    """One move of the averages for each, by its own mean: momentum is 0.9."""
    step = tiny_classifier.build(normalization="batch", accumulation_steps=2, attack=NO_ATTACK)
    first = next(
        x for x in step.players.classifier._flatten_layers() if isinstance(x, BatchNormalization)
    )
    seen = []
    real, _ = tiny_classifier.batches(8, 4)
    classifier = step.players.classifier
    kernels = [variable.numpy() for variable in classifier.variables]
    for part in (slice(0, 4), slice(4, 8)):
        classifier(real[0][part], training=True)
        seen.append(np.array(first.moving_mean) * 10.0)
        for variable, value in zip(classifier.variables, kernels, strict=True):
            variable.assign(value)
    step(real, None, tiny_classifier.step_number())
    np.testing.assert_allclose(first.moving_mean, 0.09 * seen[0] + 0.1 * seen[1], atol=1e-6)


NO_ATTACK = ProjectedGradientDescent(0.1, 0, 0.05)


@pytest.mark.parametrize("change", [{"free": True}, {"weight_perturbation": 0.01}])
def test_updates_that_need_a_whole_batch_are_refused(change):
    objective = tiny_classifier.changed_objective(**change)
    with pytest.raises(ValueError, match=r"or finetune\.accumulation_steps = 1"):
        tiny_classifier.build(objective, accumulation_steps=2)


def test_free_joint_training_is_refused():
    with pytest.raises(UserError, match=r"or train\.accumulation_steps = 1"):
        tiny.build("TrainingAdversary.free = True", "train.accumulation_steps = 2")


def test_batch_must_divide_into_micro_batches(tmp_path):
    config = tiny.config("train.accumulation_steps = 3")
    with pytest.raises(UserError, match="8 is not divisible by 3 accumulation steps"):
        JointStage(config, str(tmp_path))
