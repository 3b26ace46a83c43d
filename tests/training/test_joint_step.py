"""The training step, against the rules of the paper and of the package."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import NonFiniteError
from robgan_tf.keras_versions import variable_path
from robgan_tf.layers import Convolution2D, spectral_normalization_layers
from robgan_tf.randomness import Purpose, derive_seed
from tests import tiny
from tests.training.operations import calls, operations_of_loops
from tests.training.reusable import Reusable, step_tensor, variables

PLAYER_NAMES = ("discriminator", "generator")


def snapshot(model):
    return {variable_path(variable): np.array(variable) for variable in model.variables}


def changed(model, before):
    return {
        path for path, value in snapshot(model).items() if not np.array_equal(value, before[path])
    }


@pytest.fixture(scope="module")
def usual():
    return Reusable("discriminator_optimizer.learning_rate = 1e-3", "train.average_decay = 0.5")


@pytest.fixture(scope="module")
def history(usual):
    """Metrics of 50 real steps, and every variable after them."""
    players, step = usual.from_the_start()
    images, labels = tiny.batch()
    metrics = [step(images, labels, step_tensor(number)) for number in range(1, 51)]
    return metrics, [np.array(variable) for variable in variables(players)]


def test_the_g_update_has_a_batch_size_of_its_own(eagerly):
    players, step = tiny.build("train.generator_batch_size = 24")
    number, generator = step_tensor(1), players.generator
    before = [np.array(variable) for variable in generator.variables]
    step(*tiny.batch(), number)
    # D is what it was in the G update; so is G now.
    for variable, value in zip(generator.variables, before, strict=True):
        variable.assign(value)
    assert step.strategy.run(lambda: step.generate(number, 0))[0].shape[0] == 8
    with tf.GradientTape() as tape:
        images, labels = step.strategy.run(lambda: step.generate(number, 2, for_generator=True))
        loss = step.loss.generator(*players.discriminator(images), labels).total
        mean = tf.reduce_mean(loss)
    assert loss.shape == (24,)
    expected = tape.gradient(mean, generator.trainable_variables)
    # With beta_1 = 0 Adam's first moment is the gradient.
    moments = players.generator_optimizer._momentums
    for moment, gradient in zip(moments, expected, strict=True):
        np.testing.assert_allclose(moment, gradient, rtol=1e-3, atol=1e-5)


@pytest.fixture
def trained(usual, history):
    """A run after 50 real steps; what must hold at any time is tested on it."""
    metrics, after = history
    for variable, value in zip(variables(usual.players), after, strict=True):
        variable.assign(value)
    return usual.players, usual.step, metrics


def test_sigma_of_the_kernels_in_use_is_one_after_50_steps(trained):
    players, _, _ = trained
    layers = spectral_normalization_layers(players.discriminator)
    assert len(layers) == 8
    for layer in layers:
        kernel = layer.normalized_kernel().numpy()
        sigma = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        assert sigma == pytest.approx(1.0, abs=0.01)


def test_training_learns(trained):
    _, _, history = trained
    first, last = history[0], history[-1]
    assert last["loss_discriminator/total"] < 0.8 * first["loss_discriminator/total"]
    assert last["loss_discriminator/real_class"] < first["loss_discriminator/real_class"]


def test_steps_do_not_retrace(trained):
    _, step, _ = trained
    assert step._compiled.experimental_get_tracing_count() == 1


def test_the_attack_leaves_every_variable_bit_identical(trained):
    players, step, _ = trained
    before = snapshot(players.discriminator)
    images, labels = tiny.batch()
    attacked, _ = step.adversary.perturb(
        players.discriminator, images[0], labels[0], step_tensor(1), tf.random.split([1, 2], 8)
    )
    assert not changed(players.discriminator, before)
    objective = step.adversary.objective(players.discriminator, labels[0])
    assert tf.reduce_mean(objective(attacked)) > tf.reduce_mean(objective(images[0]))


def test_average_generator_follows_the_generator(usual):
    players, step = usual.from_the_start()
    average = snapshot(players.average_generator)
    images, labels = tiny.batch()
    for number in (1, 2):
        step(images, labels, step_tensor(number))
        # The decay warms up as (1 + t) / (10 + t): 2/11, 3/12, ...
        decay = (1 + number) / (10 + number)
        for averaged, variable in zip(
            players.average_generator.variables, players.generator.variables, strict=True
        ):
            expected = decay * average[variable_path(averaged)] + (1 - decay) * np.array(variable)
            np.testing.assert_allclose(averaged, expected, rtol=1e-4, atol=1e-6)
        average = snapshot(players.average_generator)


def test_discriminator_update_equals_one_written_out():
    """D's first update: fakes from G, the attack, equation (9), Adam; in eager operations."""
    players, step = tiny.build("train.discriminator_updates = 1")
    reference, _ = tiny.build("train.discriminator_updates = 1")
    images, labels = tiny.batch(updates=1)
    # u starts converged, where an advance would not show.
    for model in (players.discriminator, reference.discriminator):
        for layer in spectral_normalization_layers(model):
            layer.power_iterations = 1
            u = tf.random.stateless_normal(layer.vector_u.shape, [1, 2])
            layer.vector_u.assign(u / tf.norm(u))
    metrics = step(images, labels, step_tensor(1))

    latents = tf.random.stateless_normal([8, 16], derive_seed(0, Purpose.LATENTS, 1, 0))
    fake_labels = tf.random.stateless_uniform(
        [8], derive_seed(0, Purpose.LABELS, 1, 0), maxval=10, dtype=tf.int32
    )
    fakes = reference.generator(latents, fake_labels, training=True, update_statistics=False)
    discriminator = reference.discriminator
    for layer in spectral_normalization_layers(discriminator):
        layer.advance()
    seeds = tf.random.split(derive_seed(0, Purpose.RANDOM_START, 1, 0), 8)
    attacked, _ = step.adversary.perturb(discriminator, images[0], labels[0], step_tensor(1), seeds)
    with tf.GradientTape() as tape:
        source, classes = discriminator(attacked)
        loss = tf.reduce_mean(tf.nn.softplus(-source)) + tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels[0], classes)
        )
        loss += tf.reduce_mean(tf.nn.softplus(discriminator(fakes)[0]))
    gradients = tape.gradient(loss, discriminator.trainable_variables)
    reference.discriminator_optimizer.apply_gradients(
        zip(gradients, discriminator.trainable_variables, strict=True)
    )
    assert float(metrics["loss_discriminator/total"]) == pytest.approx(float(loss), rel=1e-5)
    for variable, expected in zip(
        players.discriminator.variables, discriminator.variables, strict=True
    ):
        np.testing.assert_allclose(variable, expected, atol=2e-6)


def test_only_its_own_update_moves_the_averages_of_the_generator(usual):
    """After two D updates and one G update they have moved once, on the last fakes."""
    players, step = usual.from_the_start()
    reference, _ = tiny.build()
    step(*tiny.batch(), step_tensor(1))
    latents = tf.random.stateless_normal([8, 16], derive_seed(0, Purpose.LATENTS, 1, 2))
    labels = tf.random.stateless_uniform(
        [8], derive_seed(0, Purpose.LABELS, 1, 2), maxval=10, dtype=tf.int32
    )
    reference.generator(latents, labels, training=True)
    for variable, expected in zip(
        players.generator.non_trainable_variables,
        reference.generator.non_trainable_variables,
        strict=True,
    ):
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("form", "learns"), [("split", False), ("ac_gan", True)])
def test_labels_of_fakes_reach_the_class_head_only_under_equation_8(
    form, learns, monkeypatch, eagerly
):
    """The class head's update, for two choices of the classes asked of G."""
    classes_of_fakes = tf.Variable(0)
    run = Reusable(f"AdversarialLoss.form = '{form}'")
    generate = run.step.generate

    def relabelled(*arguments, **keywords):
        fakes, labels = generate(*arguments, **keywords)
        return fakes, tf.fill(tf.shape(labels), classes_of_fakes)

    monkeypatch.setattr(run.step, "generate", relabelled)
    class_heads = []
    for classes in (0, 1):
        classes_of_fakes.assign(classes)
        players, step = run.from_the_start()
        step(*tiny.batch(), step_tensor(1))
        class_heads.append(np.array(players.discriminator.class_head.layer.kernel))
    assert np.array_equal(*class_heads) is not learns


def test_no_attack_costs_no_attack_and_still_trains(eagerly):
    _, step = tiny.build("ProjectedGradientDescent.steps = 0")
    assert "attack" not in operations_of_loops(step)
    images, labels = tiny.batch()
    step(images, labels, step_tensor(1))


def test_nothing_is_computed_twice_or_for_nothing(trained):
    players, step, _ = trained
    counts = operations_of_loops(step)
    of_d, of_g = (count_convolutions(getattr(players, name)) for name in PLAYER_NAMES)
    of_image, transposed = 2, 2
    # The attack: one pass of D forward, one backward to the image and to no kernel.
    attack = counts["attack"]
    assert attack["Conv2D"] == attack["Conv2DBackpropInput"] == of_d
    assert attack["Conv2DBackpropFilter"] == 0
    assert calls(attack) == 0
    # A D update: D on real and fake images, G forward only, no gradient to any image.
    update = counts["discriminator update"]
    assert update["Conv2DBackpropFilter"] == 2 * of_d
    assert update["Conv2D"] == 2 * of_d + of_g - transposed
    assert update["Conv2DBackpropInput"] == 2 * (of_d - of_image) + transposed
    # One power method for each of D's convolutions and its two heads.
    assert calls(update) == of_d + 2
    # The G update: D's kernels have no gradient, and u does not move.
    generator_update = counts["generator update"]
    assert generator_update["Conv2DBackpropFilter"] == of_g
    assert calls(generator_update) == 0
    on_the_host = {"PyFunc", "EagerPyFunc", "PyFuncStateless", "Print", "PrintV2"}
    assert not on_the_host & set().union(*counts.values())


def count_convolutions(model):
    return sum(isinstance(layer, Convolution2D) for layer in model._flatten_layers())


def test_warm_up_of_the_radius():
    _, step = tiny.build("TrainingAdversary.warmup_steps = 4")
    radii = [float(step.adversary.epsilon(step_tensor(number))) for number in (1, 2, 4, 9)]
    np.testing.assert_allclose(radii, [0.025, 0.05, 0.1, 0.1], rtol=1e-6)


@pytest.mark.parametrize("target", ["source", "class"])
def test_target_of_the_attack(target):
    players, step = tiny.build(f"TrainingAdversary.target = '{target}'")
    images, labels = tiny.batch()
    source, classes = players.discriminator(images[0])
    expected = {
        "source": tf.nn.softplus(-source),
        "class": tf.nn.sparse_softmax_cross_entropy_with_logits(labels[0], classes),
    }[target]
    values = step.adversary.objective(players.discriminator, labels[0])(images[0])
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_non_finite_loss_stops_with_step_and_culprit(usual):
    _, step = usual.from_the_start()
    images, labels = tiny.batch()
    poisoned = tf.tensor_scatter_nd_update(images, [[1, 3, 0, 0, 0]], [float("nan")])
    step(images, labels, step_tensor(6))
    with pytest.raises(NonFiniteError) as error:
        step(poisoned, labels, step_tensor(7))
    assert "step 7: attack in discriminator update 2: gradient of the images" in str(error.value)


def test_non_finite_values_stop_a_run_where_a_fused_relu_hides_them():
    """oneDNN's ReLU within a convolution that has a bias makes 0 of NaN."""
    _, step = tiny.build("ResNetDiscriminator.use_bias = True")
    images, labels = tiny.batch()
    poisoned = tf.tensor_scatter_nd_update(images, [[1, 3, 0, 0, 0]], [float("nan")])
    with pytest.raises(NonFiniteError, match=r"step 7: .*discriminator update 2: "):
        step(poisoned, labels, step_tensor(7))


def test_non_finite_gradient_is_named_by_its_variable(monkeypatch, eagerly):
    _, step = tiny.build()
    generator_loss = type(step.loss).generator

    def with_infinite_slope(loss, *arguments):
        terms = generator_loss(loss, *arguments)
        # The square root is 0 here, and its slope infinite.
        return terms._replace(total=tf.sqrt(terms.total - tf.stop_gradient(terms.total)))

    monkeypatch.setattr(type(step.loss), "generator", with_infinite_slope)
    with pytest.raises(NonFiniteError) as error:
        step(*tiny.batch(), step_tensor(1))
    assert "step 1: generator update: gradient of generator/dense/kernel" in str(error.value)
