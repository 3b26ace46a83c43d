"""FAB against closed forms on linear models and the paper's algorithm in NumPy."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import hyperplane
from robgan_tf.attacks.fab import FAB, step
from robgan_tf.attacks.minimal_perturbation import minimal_perturbations
from robgan_tf.choices import NORMS
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.verification import verify
from tests.attacks import numpy_fab

KNOWN = [norm for norm in hyperplane.NORMS if norm in NORMS]
RANDOM = np.random.default_rng(1)
COUNT, SHAPE, SIZE, CLASSES = 24, (3, 3, 2), 18, 5
IMAGES = RANDOM.uniform(-0.9, 0.9, [COUNT, *SHAPE]).astype(np.float32)
# With many pixels on the edge of the box, where an attack may go one way only.
EDGED = np.clip(1.8 * IMAGES, -1.0, 1.0)
SEEDS = RANDOM.integers(0, 2**31 - 1, [COUNT, 2]).astype(np.int32)
WEIGHTS = RANDOM.normal(size=[SIZE, CLASSES]).astype(np.float32)
FIRST = RANDOM.normal(size=[SIZE, 9]) / 2.0
SECOND = RANDOM.normal(size=[9, CLASSES])


def flat(images):
    return tf.reshape(images, [-1, SIZE])


def linear(images):
    return flat(images) @ tf.cast(WEIGHTS, images.dtype)


def two_classes(images):
    return linear(images)[:, :2]


def curved(images):
    return tf.tanh(flat(images) @ tf.cast(FIRST, images.dtype)) @ tf.cast(SECOND, images.dtype)


def labels_of(logits_fn, images=IMAGES):
    return np.argmax(logits_fn(tf.constant(images)), axis=1).astype(np.int32)


LABELS = {logits_fn: labels_of(logits_fn) for logits_fn in (linear, curved)}


@functools.cache
def compiled(norm, targets, logits_fn, dtype):
    """`nearest` with any numbers, of any images and round."""

    @tf.function(
        autograph=False,
        input_signature=[
            [tf.TensorSpec([], kind) for kind in (tf.float32, tf.int32, tf.int32)],
            tf.TensorSpec([None, *SHAPE], dtype),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, 2], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
    )
    def run(numbers, *arguments):
        attack = FAB(0.1, norm=norm, target_classes=targets).with_numbers(numbers)
        return attack.nearest(logits_fn, *arguments)

    return run


def nearest(attack, logits_fn, images=IMAGES, rounds=None):
    """`nearest` of all rounds together; images and distances."""
    run = compiled(attack.norm, attack.target_classes, logits_fn, images.dtype.name)
    labels, seeds = labels_of(logits_fn, images), SEEDS[: len(images)]
    found = [
        run(list(attack.numbers), images, labels, seeds, number)
        for number in rounds or range(attack.rounds)
    ]
    assert run.experimental_get_tracing_count() == 1
    distances = np.stack([one.distances for one in found])
    best = distances.argmin(axis=0), np.arange(len(images))
    return np.stack([one.images for one in found])[best], distances[best]


def exact_distances(logits_fn, norm):
    """Of a linear model: to the nearest hyperplane within the box, and without the box."""
    logits = np.asarray(logits_fn(tf.constant(EDGED)), np.float64)
    within, without = [], []
    for image, values, label in zip(EDGED, logits, labels_of(logits_fn, EDGED), strict=True):
        point, others = image.ravel().astype(np.float64), set(range(len(values))) - {label}
        normals = {k: WEIGHTS[:, k].astype(np.float64) - WEIGHTS[:, label] for k in others}
        gaps = {k: values[k] - values[label] for k in others}
        moved = {k: numpy_fab.project(point, normals[k], gaps[k], norm) - point for k in others}
        reached = [k for k in others if abs(gaps[k] + normals[k] @ moved[k]) < 1e-6]
        within.append(min((numpy_fab.distance(moved[k], norm) for k in reached), default=np.inf))
        duals = {k: np.linalg.norm(normals[k], ord=numpy_fab.DUAL[norm]) for k in others}
        without.append(min(abs(gaps[k]) / duals[k] for k in others))
    return np.array(within), np.array(without)


# Without a target, the nearest hyperplane is chosen as if there were no box.
@pytest.mark.parametrize(("logits_fn", "targets"), [(two_classes, None), (linear, CLASSES - 1)])
@pytest.mark.parametrize("norm", KNOWN)
def test_the_nearest_of_a_linear_model(norm, logits_fn, targets):
    attack = FAB(0.1, 20, norm, target_classes=targets)
    images, distances = nearest(attack, logits_fn, EDGED)
    exact, without_box = exact_distances(logits_fn, norm)
    assert np.all(distances <= 1.01 * exact) and np.all(distances >= (1 - 1e-4) * exact)
    assert np.mean(exact > 1.02 * without_box) > 0.1, "the box binds"
    change = (images.astype(np.float64) - EDGED).reshape(COUNT, -1)
    np.testing.assert_allclose([numpy_fab.distance(c, norm) for c in change], distances, rtol=1e-5)
    assert np.abs(images).max() <= 1.0


@pytest.mark.parametrize("norm", KNOWN)
def test_one_step_is_that_of_the_paper(norm):
    current = np.clip(IMAGES + RANDOM.normal(size=IMAGES.shape) / 5, -1, 1).astype(np.float32)
    normals = RANDOM.normal(size=IMAGES.shape).astype(np.float32)
    values = RANDOM.uniform(-9, 9, COUNT).astype(np.float32)
    moved = step(*(tf.constant(x) for x in (current, IMAGES, normals, values)), norm).numpy()
    for sample in range(COUNT):
        rows = (x[sample].ravel().astype(np.float64) for x in (current, IMAGES, normals))
        expected = numpy_fab.step(*rows, float(values[sample]), norm)
        np.testing.assert_allclose(moved[sample].ravel(), expected, atol=1e-5)


def jacobian(image):
    hidden = np.tanh(image @ FIRST)
    return (FIRST * (1 - hidden**2) @ SECOND).T


@pytest.mark.parametrize("targets", [None, 2])
@pytest.mark.parametrize("norm", KNOWN)
def test_a_run_is_that_of_the_paper(norm, targets):
    attack = FAB(0.1, 12, norm, target_classes=targets)
    for rank in range(targets or 1):
        images, distances = nearest(attack, curved, IMAGES[:10].astype(np.float64), [rank])
        for sample in range(10):
            expected, far = numpy_fab.run(
                IMAGES[sample].ravel().astype(np.float64),
                LABELS[curved][sample],
                lambda image: np.tanh(image @ FIRST) @ SECOND,
                jacobian,
                norm,
                12,
                None if targets is None else rank,
            )
            # Where the last secant step ends on the boundary itself, rounding decides.
            assert distances[sample] == pytest.approx(far, rel=1e-4)
            np.testing.assert_allclose(images[sample].ravel(), expected, atol=1e-4)


@pytest.mark.parametrize("norm", KNOWN)
def test_within_a_radius_it_finds_what_is_near_and_leaves_the_rest(norm):
    attack = FAB(0.1, 12, norm, target_classes=2)
    _, distances = nearest(attack, curved, IMAGES.astype(np.float64))
    radius = float(np.median(distances))
    attack = FAB(radius, 12, norm, target_classes=2)
    classifier = Classifier("x", curved, "x")
    compiled = CompiledClassifier(classifier, SHAPE)
    outcome, alone = (
        RobustnessEvaluation(compiled, [attack], size, 3).run(IMAGES, LABELS[curved])
        for size in (COUNT, 5)
    )
    np.testing.assert_array_equal(outcome.survived, distances > radius)
    np.testing.assert_array_equal(outcome.adversarial[outcome.survived], IMAGES[outcome.survived])
    verify(classifier, IMAGES, LABELS[curved], outcome.adversarial, outcome.survived, radius, norm)
    np.testing.assert_array_equal(outcome.fooled_by, alone.fooled_by)
    np.testing.assert_allclose(outcome.adversarial, alone.adversarial, atol=1e-5)


def test_fooled_samples_cost_nothing_more():
    sizes = []

    def seen(images):
        sizes.append(len(images))
        return linear(images)

    _, distances = nearest(FAB(0.1, 3), linear)
    radius = float(np.sort(distances)[COUNT // 2]) * 1.01
    FAB(radius, 3)(seen, IMAGES, LABELS[linear], SEEDS)
    # Clean; then two passes a step and, for the final search, both ends and three steps between.
    assert (
        len(sizes) == FAB(radius, 3).queries == 1 + 2 * 3 + 5
        and sizes[0] == COUNT
        and sizes[-1] < COUNT / 2
    )
    sizes.clear()
    FAB(9.0, 50, "l2")(seen, IMAGES, LABELS[linear], SEEDS)
    assert len(sizes) < 20, "all are fooled, and steps are left"


def test_restarts_begin_at_half_the_radius():
    attack, starts = FAB(0.2, 1, restarts=3, target_classes=2), []

    def seen(images):
        starts.append(images.numpy())
        return linear(images)

    for number in range(attack.rounds):
        attack.nearest(seen, IMAGES, LABELS[linear], SEEDS, number)
    begun = np.stack(starts[1 :: len(starts) // attack.rounds])
    far = np.abs(begun - IMAGES).reshape(attack.rounds, COUNT, -1).max(axis=2)
    np.testing.assert_array_equal(far[[0, 3]], 0.0)
    np.testing.assert_allclose(far[[1, 2, 4, 5]], 0.1, atol=1e-6)
    assert len(np.unique(begun.reshape(-1, SIZE).round(5), axis=0)) == 5 * COUNT


def test_the_smallest_of_all_rounds_for_any_batch_size():
    attack = FAB(0.1, 12, target_classes=2)
    found = minimal_perturbations(attack, curved, IMAGES, LABELS[curved], batch_size=7)
    _, distances = nearest(attack, curved)
    # In float32 a product of matrices depends on the batch, and the last secant step ends so near
    # to the boundary that this decides whether it is kept.
    np.testing.assert_allclose(found.distances, distances, rtol=0.03)
    assert np.mean(np.isclose(found.distances, distances, rtol=1e-5)) > 0.8
    far = np.abs(found.images - IMAGES).reshape(COUNT, -1).max(axis=1)
    np.testing.assert_allclose(far, found.distances, rtol=1e-6)
    with pytest.raises(ValueError, match=r"24 images and labels \(3,\) were given"):
        minimal_perturbations(attack, curved, IMAGES, LABELS[curved][:3])


def test_what_is_misclassified_or_has_no_way_out_is_said():
    labels = LABELS[linear].copy()
    labels[3] = (labels[3] + 1) % CLASSES

    def deaf(images):
        return tf.stop_gradient(linear(images))

    for logits_fn in (linear, deaf):
        found = FAB(0.1, 5).nearest(logits_fn, IMAGES, labels, SEEDS)
        assert found.distances[3] == 0.0
        np.testing.assert_array_equal(found.images[3], IMAGES[3])
    np.testing.assert_array_equal(np.delete(found.distances, 3), np.inf)
    np.testing.assert_array_equal(found.images, IMAGES)


@pytest.mark.parametrize("targets", [None, 2])
def test_a_gradient_that_is_not_finite_moves_nothing(targets):
    @tf.custom_gradient
    def spoilt(images):
        wrong = tf.reshape(tf.range(tf.shape(images)[0]) == 0, [-1, 1, 1, 1])
        return tf.identity(images), lambda upstream: tf.where(wrong, np.nan, upstream)

    part = slice(0, 4)
    attack = FAB(0.1, 5, target_classes=targets)
    found = attack.nearest(
        lambda images: linear(spoilt(images)), IMAGES[part], LABELS[linear][part], SEEDS[part]
    )
    assert found.distances[0] == np.inf and np.all(np.isfinite(found.distances[1:]))
    assert np.all(np.isfinite(found.images))


def test_no_radius_and_no_steps_are_no_attack():
    def fail(images):
        raise AssertionError

    for attack in (FAB(0.0, 5), FAB(0.1, 0)):
        np.testing.assert_array_equal(attack(fail, IMAGES, LABELS[linear], SEEDS), IMAGES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"norm": "l7"}, "norm 'l7' does not exist; choose one of"),
        ({"epsilon": -0.1}, "epsilon must not be negative, got -0.1"),
        ({"steps": -1}, "steps must not be negative, got -1"),
        ({"restarts": 0}, "restarts must be at least 1, got 0"),
        ({"target_classes": 0}, "target_classes must be at least 1, got 0"),
    ],
)
def test_refuses_numbers_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        FAB(**{"epsilon": 0.1, **arguments})


def test_refuses_too_few_classes():
    attack = FAB(0.1, target_classes=CLASSES)
    with pytest.raises(ValueError, match="with 5 classes it is at most 4"):
        attack(linear, IMAGES, LABELS[linear], SEEDS)
    with pytest.raises(ValueError, match="of at least 2, got 1"):
        FAB(0.1)(lambda images: linear(images)[:, :1], IMAGES, LABELS[linear], SEEDS)
