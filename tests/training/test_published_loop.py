"""The joint training loop against the numbers that the published code computed."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.losses.adversarial import AdversarialLoss
from robgan_tf.stages.build_joint import build_adversary, build_players
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.joint_step import JointStep
from tests.published import Published, channels_last, golden, projection_weights, wave

STEPS, UPDATES, BATCH, LATENTS = 3, 2, 3, 128
BINDINGS = (
    f"train.steps = {STEPS}",
    f"train.batch_size = {BATCH}",
    f"train.discriminator_updates = {UPDATES}",
    "data.dataset = 'digits'",
    "data.resolution = 32",
    "data.num_classes = 10",
    "ResNetGenerator.base_width = 4",
    "ResNetDiscriminator.base_width = 4",
    "ResNetDiscriminator.normalization = 'none'",
    "AdversarialLoss.weights = 'official_code'",
    "ProjectedGradientDescent.epsilon = 0.0125",
    "ProjectedGradientDescent.steps = 2",
    "ProjectedGradientDescent.step_size = 0.0078",
)
PUBLISHED = (
    "ResNetGenerator.form = 'official_code'",
    "ResNetDiscriminator.form = 'official_code'",
    *(
        f"{player}_optimizer.{setting}"
        for player in ("generator", "discriminator")
        for setting in ("epsilon = 1e-8", "epsilon_place = 'corrected'")
    ),
)
IMAGES = np.stack(
    [channels_last(wave(BATCH, 3, 32, 32, phase=0.7 * t)) for t in range(STEPS * UPDATES)]
)
LABELS = [[(3 * n + 1 + t) % 10 for n in range(BATCH)] for t in range(STEPS * UPDATES)]
DRAWS = STEPS * (UPDATES + 1)
LATENT_BATCHES = np.stack([1.5 * wave(BATCH, LATENTS, phase=0.7 * q + 0.35) for q in range(DRAWS)])
FAKE_LABELS = [[(5 * n + 2 + q) % 10 for n in range(BATCH)] for q in range(DRAWS)]


class TheirNumbers(JointStep):
    """Takes latents from the tables above, and reports what the golden numbers are of."""

    def latents(self, step, update, for_generator=False, part=0):
        draw = tf.cast(step - 1, tf.int32) * (UPDATES + 1) + tf.cast(update, tf.int32)
        return tf.gather(tf.constant(LATENT_BATCHES), draw), tf.gather(FAKE_LABELS, draw)

    def generate(self, step, update, for_generator=False, part=0):
        # Their G is in training mode throughout, so that its averages move whenever it is called.
        self._fakes = super().generate(step, update, for_generator=True)
        return self._fakes

    def _discriminator_update(self, perturb, labels, step, update):
        seen = []

        def watched(discriminator):
            attacked, check = perturb(discriminator)
            seen.append(attacked)
            return attacked, check

        metrics, *others = super()._discriminator_update(watched, labels, step, update)
        batch = tf.cast(step - 1, tf.int32) * UPDATES + tf.cast(update, tf.int32)
        move = tf.abs(seen[-1] - tf.gather(tf.constant(IMAGES), batch))
        more = {
            "adversarial_projection": projected(seen[-1]),
            "adversarial_largest_move": tf.reduce_max(move),
            "fake_projection": projected(self._fakes[0]),
        }
        return {**metrics, **more}, *others


def projected(images):
    images = tf.transpose(images, [0, 3, 1, 2])
    return tf.reduce_sum(images * projection_weights(images.shape, 0.1))


def built(form, *bindings):
    """The step, and D and G with the published weights."""
    config = read_config(
        JointConfig, [], [*BINDINGS, f"AdversarialLoss.form = '{form}'", *bindings]
    )
    strategy = make_strategy("single_device")
    adversary = build_adversary(config)
    players = build_players(config, strategy)
    networks = {
        "D": Published(players.discriminator, "loop.D", "discriminator"),
        "G": Published(players.generator, "loop.G", "generator"),
    }
    step = TheirNumbers(
        players,
        adversary,
        AdversarialLoss(**vars(config.loss)),
        strategy=strategy,
        batch_size=BATCH,
        generator_batch_size=BATCH,
        discriminator_updates=UPDATES,
        seed=0,
        average_decay=0.999,
    )
    return step, networks


def losses(metrics, form):
    """What the golden file calls losses, from what a step reports."""

    def weighted(name, source_weight):
        source, classes = metrics[f"{name}source"], metrics.get(f"{name}class", 0.0)
        return float(source_weight * source + (1.0 - source_weight) * classes)

    return {
        "loss.discriminator_real": weighted("loss_discriminator/real_", 0.5),
        "loss.discriminator_fake": weighted(
            "loss_discriminator/fake_", 1.0 if form == "split" else 0.5
        ),
        "loss.generator": weighted("loss_generator/", 0.5),
    }


def differences(form, *bindings):
    """{name: largest relative difference}, of losses and pixels and of weights at the end."""
    step, networks = built(form, *bindings)
    stored, reported = golden(f"loop_{form}"), []
    for number in range(STEPS):
        part = slice(number * UPDATES, (number + 1) * UPDATES)
        metrics = step(
            tf.constant(IMAGES[part]), tf.constant(LABELS[part]), tf.constant(number + 1, tf.int64)
        )
        seen = {name: float(metrics[name]) for name in stored if name in metrics}
        reported.append({**losses(metrics, form), **seen})
    found = {}
    for name in reported[0]:
        # A step reports means over its updates.
        expected = stored[name].reshape(STEPS, -1).mean(axis=1)
        values = np.array([values[name] for values in reported])
        found[name] = float(np.abs(values - expected).max() / np.abs(expected).max())
    after = {}
    for player, network in networks.items():
        for name in network.shapes:
            expected = stored[f"after.{player}.{name}.sum_abs"]
            total = np.abs(np.asarray(network.variable(name))).sum()
            after[f"{player}.{name}"] = abs(float(total / expected) - 1.0)
    return found, after


@pytest.mark.slow
@pytest.mark.parametrize("form", ["split", "ac_gan"])
def test_three_steps_of_the_published_loop(form, in_float64):
    found, after = differences(form, *PUBLISHED)
    assert len(found) == 6 and max(found.values()) <= 1e-9, found
    assert len(after) > 70 and max(after.values()) <= 1e-7, after
