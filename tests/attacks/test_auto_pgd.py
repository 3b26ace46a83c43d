"""Auto-PGD against closed forms on linear models, and as an attack of batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.attacks.auto_pgd import AutoPGD
from tests.attacks.compiled import compiled

RANDOM = np.random.default_rng(0)
COUNT, SHAPE = 100, (4, 4, 3)
# Far enough from the box that it never stops an attack with a small radius.
IMAGES = RANDOM.uniform(-0.5, 0.5, [COUNT, *SHAPE])
LABELS = RANDOM.integers(0, 2, COUNT).astype(np.int32)
SEEDS = RANDOM.integers(0, 2**31 - 1, [COUNT, 2]).astype(np.int32)
WEIGHTS = RANDOM.normal(size=[48, 2])
# Added to the logit of each sample's label, it keeps every attack of these tests from success,
# which would end it at the first fooling image.
SAFE = 1000.0


# Few in L2: around the optimum, rounding decides which of the last points is the best.
STEPS = {"linf": 10, "l2": 4}


def flat(images):
    return tf.reshape(images, [-1, 48])


def safe(logits_fn, labels=LABELS, classes=2):
    """Returns the function with its predictions made right for good."""
    return lambda images: logits_fn(images) + SAFE * tf.one_hot(labels, classes, dtype=images.dtype)


def linear(images):
    return flat(images) @ tf.cast(WEIGHTS, images.dtype)


def curved(images):
    return tf.sin(6.0 * flat(images)) @ tf.cast(WEIGHTS, images.dtype)


def length(perturbation, norm):
    perturbation = np.asarray(perturbation, np.float64).reshape(len(perturbation), -1)
    return np.linalg.norm(perturbation, axis=1, ord=np.inf if norm == "linf" else 2)


def recorded(logits_fn):
    """Returns the function and a list to which each eager call appends its images."""
    seen = []

    def record(images):
        seen.append(images.numpy())
        return logits_fn(images)

    return record, seen


def small_network(dtype="float64", classes=10):
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(8, 3, activation="relu", dtype=dtype),
            keras.layers.BatchNormalization(dtype=dtype),
            keras.layers.Flatten(dtype=dtype),
            keras.layers.Dense(16, activation="tanh", dtype=dtype),
            keras.layers.Dense(classes, dtype=dtype),
        ]
    )


def test_reaches_the_linf_optimum():
    images = IMAGES.astype(np.float32)
    attack = AutoPGD(0.1, 20, norm="linf", objective="margin")
    attacked = attack(safe(linear), images, LABELS, SEEDS)
    uphill = np.sign(WEIGHTS[:, 1 - LABELS] - WEIGHTS[:, LABELS]).T.reshape(IMAGES.shape)
    np.testing.assert_allclose(attacked, images + 0.1 * uphill, atol=1e-5)


def test_reaches_the_l2_optimum():
    # In float64: around its optimum the objective is too flat for float32 to tell points apart.
    images, labels = IMAGES[:5], LABELS[:5]
    attack = AutoPGD(0.4, norm="l2", objective="margin")
    run = compiled(attack, safe(linear, labels), SHAPE, tf.float64)
    attacked = run(images, labels, SEEDS[:5])
    uphill = (WEIGHTS[:, 1 - labels] - WEIGHTS[:, labels]).T
    uphill = (uphill / length(uphill, "l2")[:, None]).reshape(images.shape)
    np.testing.assert_allclose(attacked, images + 0.4 * uphill, atol=1e-5)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.05), ("linf", 2.0), ("l2", 0.7)])
@pytest.mark.parametrize("reach", [0.5, 1.0])
def test_every_iterate_stays_in_ball_and_box(norm, epsilon, reach):
    images, labels = (2.0 * reach * IMAGES[:6]).astype(np.float32), LABELS[:6]
    logits_fn, seen = recorded(safe(curved, labels))
    attacked = AutoPGD(epsilon, 12, norm)(logits_fn, images, labels, SEEDS[:6]).numpy()
    assert len(seen) == 13
    for iterate in [*seen, attacked]:
        assert length(iterate - images, norm).max() <= epsilon + 1e-6
        assert np.abs(iterate).max() <= 1.0
    assert length(attacked - images, norm).max() > 0.5 * min(epsilon, 1.0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_starts_on_the_edge_of_the_ball(norm):
    images, labels, seeds = IMAGES[:20], LABELS[:20], SEEDS[:20]

    def start(round_number):
        logits_fn, seen = recorded(safe(linear, labels))
        AutoPGD(0.3, 1, norm, restarts=2)(logits_fn, images, labels, seeds, round_number)
        return seen[0]

    first, second = start(0), start(1)
    np.testing.assert_allclose(length(first - images, norm), 0.3, rtol=1e-9)
    np.testing.assert_array_equal(first, start(tf.constant(0)))
    # No sample starts where it started in the other round, nor where another sample does.
    starts = np.concatenate([first, second]) - np.concatenate([images, images])
    assert len(np.unique(starts.reshape(40, -1).round(6), axis=0)) == 40


def test_no_radius_and_no_steps_are_no_attack():
    def fail(images):
        raise AssertionError

    for norm in ("linf", "l2"):
        for attack in (AutoPGD(0.0, 5, norm), AutoPGD(0.1, 0, norm)):
            np.testing.assert_array_equal(attack(fail, IMAGES, LABELS, SEEDS), IMAGES)


@pytest.mark.parametrize(("norm", "objective"), [("linf", "targeted_dlr"), ("l2", "dlr")])
def test_result_does_not_depend_on_the_batch_on_a_network(norm, objective):
    network = small_network()
    labels = network(IMAGES).numpy().argmax(1).astype(np.int32)
    assert_result_does_not_depend_on_the_batch(
        AutoPGD(0.05, STEPS[norm], norm, objective), lambda x: network(x, training=False), labels
    )


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_result_does_not_depend_on_the_batch_on_a_linear_model(norm):
    attack = AutoPGD(0.05, STEPS[norm], norm, "margin")
    assert_result_does_not_depend_on_the_batch(attack, linear, LABELS)


def assert_result_does_not_depend_on_the_batch(attack, logits_fn, labels):
    run, images = compiled(attack, logits_fn, SHAPE, tf.float64), IMAGES

    def in_batches(size):
        batches = [slice(first, first + size) for first in range(0, COUNT, size)]
        return np.concatenate([run(images[b], labels[b], SEEDS[b]) for b in batches])

    together = in_batches(COUNT)
    fooled = logits_fn(tf.constant(together)).numpy().argmax(1) != labels
    assert 0 < fooled.mean() < 1  # Samples that end early must not end others.
    tolerance = 1e-10 if images.dtype == np.float64 else 1e-5
    np.testing.assert_allclose(in_batches(7), together, atol=tolerance)
    np.testing.assert_allclose(in_batches(1), together, atol=tolerance)


def test_one_trace_serves_all_batch_sizes():
    traces = []
    network = small_network("float32")

    def logits_fn(images):
        return network(images, training=False)

    attack = AutoPGD(0.1, 12, objective="targeted_dlr")

    def traced(*arguments):
        traces.append(arguments)
        return attack(*arguments)

    run = compiled(traced, logits_fn, SHAPE, tf.float32)
    for size, round_number in ((5, 0), (1, 3), (7, 8)):
        images = IMAGES[:size].astype(np.float32)
        attacked = run(images, LABELS[:size], SEEDS[:size], round_number)
        assert attacked.shape == (size, *SHAPE)
    assert len(traces) == 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_works_in_a_graph_with_a_fixed_batch_size(norm):
    attack = AutoPGD(0.1, 6, norm)
    images, labels, seeds = IMAGES[:1], LABELS[:1], SEEDS[:1]

    @tf.function(autograph=False)
    def run():
        return attack(safe(curved, labels), images, labels, seeds)

    eager = attack(safe(curved, labels), images, labels, seeds)
    np.testing.assert_allclose(run(), eager, atol=1e-6)


def test_changes_no_variable_and_lets_no_gradient_through():
    network = small_network("float32")
    before = [np.array(value) for value in network.variables]
    images = tf.constant(IMAGES, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        attacked = AutoPGD(0.1, 5)(lambda x: network(x, training=False), images, LABELS, SEEDS)
        total = tf.reduce_sum(attacked)
    assert all(gradient is None for gradient in tape.gradient(total, [images, *network.weights]))
    for old, new in zip(before, network.variables, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("objective", ["cross_entropy", "margin"])
def test_returns_the_first_fooling_image_else_the_best(objective):
    labels = curved(tf.constant(IMAGES)).numpy().argmax(1).astype(np.int32)
    attack = AutoPGD(0.02, 20, objective=objective)
    together = attack(curved, IMAGES, labels, SEEDS).numpy()
    seen, chosen, outcomes = [], set(), []

    def record(images):
        tf.numpy_function(lambda given: seen.append(np.array(given)), [images], [])
        return curved(images)

    alone = compiled(attack, record, SHAPE, tf.float64)
    for k in range(0, COUNT, 7):
        seen.clear()
        one = slice(k, k + 1)
        attacked = alone(IMAGES[one], labels[one], SEEDS[one])
        logits = np.stack([curved(tf.constant(images)).numpy()[0] for images in seen])
        margins = logits[:, 1 - labels[k]] - logits[:, labels[k]]
        fooled = (margins > 0).any()
        # With two classes, both objectives rise with the margin.
        number = (margins > 0).argmax() if fooled else margins.argmax()
        np.testing.assert_array_equal(attacked, seen[number])
        chosen.add(number)
        outcomes.append(fooled)
        # The samples that are fooled leave the batch, which changes nothing for the others.
        np.testing.assert_allclose(together[one], attacked, atol=1e-6)
    assert 0 < np.mean(outcomes) < 1
    assert len(chosen) > 3


def test_fooled_samples_cost_no_more_after_the_next_checkpoint():
    sizes = []

    def logits_fn(images):
        sizes.append(len(images))
        return curved(images)

    labels = curved(tf.constant(IMAGES)).numpy().argmax(1).astype(np.int32)
    attacked = AutoPGD(0.02, 20)(logits_fn, IMAGES, labels, SEEDS)
    survivors = int(np.sum(curved(attacked).numpy().argmax(1) == labels))
    assert sizes[0] == COUNT and sizes[-1] < COUNT
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] >= survivors


def test_stops_where_all_are_fooled():
    logits_fn, seen = recorded(linear)
    attacked = AutoPGD(0.9, 50, objective="margin")(logits_fn, IMAGES, LABELS, SEEDS)
    assert np.all(linear(attacked).numpy().argmax(1) != LABELS)
    assert len(seen) < 10


def test_overcomes_a_step_that_is_too_large():
    centers = IMAGES + RANDOM.uniform(-0.05, 0.05, IMAGES.shape)

    def bowl(images):
        distance = tf.reduce_sum(tf.abs(flat(images) - flat(centers)) ** 1.5, axis=1)
        return tf.stack([distance, tf.zeros_like(distance)], axis=1)

    labels = np.zeros(COUNT, np.int32)
    plain = ProjectedGradientDescent(0.1, 100, 0.2)(lambda x: -bowl(x)[:, 0], IMAGES)
    run = compiled(AutoPGD(0.1, objective="margin"), safe(bowl, labels), SHAPE, tf.float64)
    attacked = run(IMAGES, labels, SEEDS)
    assert np.all(bowl(attacked)[:, 0] < 0.01 * bowl(plain)[:, 0])


def test_rounds_push_towards_the_classes_in_order_of_their_logits():
    classes, restarts = 12, 2
    # The logits are the pixels of a permuted staircase: a class is a pixel, its rank its height.
    stairs = np.linspace(0.6, -0.6, classes).astype(np.float32)
    ranks = np.argsort(RANDOM.uniform(size=[COUNT, classes]), axis=1)
    images = stairs[ranks].reshape(COUNT, 2, 6, 1)
    labels = (ranks == 0).argmax(1).astype(np.int32)
    attack = AutoPGD(0.02, 20, objective="targeted_dlr", restarts=restarts, target_classes=11)
    run = compiled(
        attack, lambda x: 10.0 * tf.reshape(x, [-1, classes]), images.shape[1:], tf.float32
    )
    assert attack.rounds == 22
    changes = []
    for round_number in range(0, attack.rounds, restarts):
        for repeat in range(restarts):
            attacked = run(images, labels, SEEDS, round_number + repeat)
            target = ranks == 1 + round_number // restarts
            change = (attacked - images).reshape(COUNT, classes)
            np.testing.assert_allclose(change[target], 0.02, atol=1e-6)
        changes.append(change)
    # A class never rises on average in the rounds of others as it does in its own.
    own = [[change[ranks == rank + 1].mean() for rank in range(11)] for change in changes]
    assert np.all(np.argmax(own, axis=0) == np.arange(11))


def test_name_and_rounds():
    assert AutoPGD(0.1).name == "apgd-cross_entropy"
    assert AutoPGD(0.1, objective="targeted_dlr").name == "apgd-targeted_dlr"
    assert AutoPGD(0.1).rounds == 1
    assert AutoPGD(0.1, restarts=5).rounds == 5
    assert AutoPGD(0.1, objective="targeted_dlr").rounds == 9
    assert AutoPGD(0.1, objective="targeted_dlr", restarts=2, target_classes=3).rounds == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epsilon": -0.1}, "epsilon must not be negative, got -0.1"),
        ({"steps": -3}, "steps must not be negative, got -3"),
        ({"epsilon": 8}, "above 2.*8/255 of the .* scale is 0.0627"),
        ({"norm": "l7"}, "norm 'l7' does not exist; choose one of 'l1', 'l2', 'linf'"),
        ({"objective": "hinge"}, "objective 'hinge' does not exist; choose one of cross_entropy"),
        ({"restarts": 0}, "restarts must be at least 1, got 0"),
        ({"target_classes": 3}, "only goes with objective 'targeted_dlr', not .*'cross_entropy'"),
        ({"objective": "targeted_dlr", "target_classes": 0}, "target_classes must be at least 1"),
    ],
)
def test_refuses_arguments_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        AutoPGD(**{"epsilon": 0.1, **arguments})


def test_a_large_l2_radius_is_fine():
    AutoPGD(8.0, norm="l2")


@pytest.mark.parametrize(
    ("objective", "target_classes", "classes", "message"),
    [
        ("cross_entropy", None, 1, "'cross_entropy' needs .* of at least 2, got 1"),
        ("dlr", None, 2, "'dlr' needs .* of at least 3, got 2"),
        ("targeted_dlr", 1, 3, "'targeted_dlr' needs .* of at least 4, got 3"),
        ("targeted_dlr", None, 9, "target_classes = 9 is more .* 9 classes it is at most 8"),
    ],
)
@pytest.mark.parametrize("wrapper", [lambda function: function, tf.function])
def test_refuses_too_few_classes(objective, target_classes, classes, message, wrapper):
    attack = AutoPGD(0.1, 3, objective=objective, target_classes=target_classes)
    logits_fn = wrapper(lambda x: flat(x)[:, :classes])

    @wrapper
    def run():
        return attack(logits_fn, tf.constant(IMAGES), tf.zeros([COUNT], tf.int32), SEEDS)

    with pytest.raises(ValueError, match=message):
        run()


def test_as_many_targets_as_wrong_classes_are_fine():
    attack = AutoPGD(0.1, 1, objective="targeted_dlr", target_classes=3)
    attack(lambda x: flat(x)[:, :4], IMAGES, LABELS, SEEDS, attack.rounds - 1)
