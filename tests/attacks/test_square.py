"""The Square attack against closed forms and a slow copy of the paper's algorithms in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.per_sample_random import uniform
from robgan_tf.attacks.square import SCHEDULED_QUERIES, SquareSearch
from robgan_tf.attacks.square_l1 import L1Moves
from robgan_tf.attacks.square_l2 import eta
from tests.attacks.numpy_sparse_auto_pgd import nearest

RANDOM = np.random.default_rng(0)
SIZE = 8
IMAGES = RANDOM.uniform(-1, 1, [100, SIZE, SIZE, 3]).astype(np.float32)
WEIGHTS = RANDOM.normal(size=[SIZE, SIZE, 3]).astype(np.float32)
SEEDS = RANDOM.integers(-(2**31), 2**31, [100, 2]).astype(np.int32)
NORMS = [("linf", 0.3), ("l2", 1.5), ("l1", 6.0)]


def two_classes(score, bias):
    """A classifier whose margin for label 0 is score - bias."""

    def logits(images):
        other = score(images)
        return tf.stack([tf.fill(tf.shape(other), tf.cast(bias, other.dtype)), other], axis=1)

    return logits


def linear(weights, bias=1000.0):
    return two_classes(lambda images: tf.reduce_sum(images * weights, [1, 2, 3]), bias)


def curved(weights, bias=1000.0):
    return two_classes(
        lambda images: tf.reduce_sum(tf.sin(9.0 * images) * weights, [1, 2, 3]), bias
    )


def in_a_graph(search, logits, images):
    """The attack on label 0 as a function of images, seeds and round, for any batch size."""

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, *images.shape[1:]], images.dtype),
            tf.TensorSpec([None, 2], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
    )
    def attack(images, seeds, round_number):
        labels = tf.zeros([tf.shape(images)[0]], tf.int32)
        return search(logits, images, labels, seeds, round_number)

    return attack


CURVED = curved(WEIGHTS)
GRAPHS = {}  # Of attacks on that model, by form: radius and queries are tensors.


def run_on_curved(search):
    """The attack on label 0 of all images, seen by the curved model."""
    if search.form not in GRAPHS:

        @tf.function(autograph=False)
        def attack(epsilon, queries):
            labels = tf.zeros([len(IMAGES)], tf.int32)
            return search.with_numbers([epsilon, queries])(CURVED, IMAGES, labels, SEEDS)

        GRAPHS[search.form] = attack
    return GRAPHS[search.form](*(tf.constant(number) for number in search.numbers)).numpy()


def run(search, logits, images):
    return in_a_graph(search, logits, images)(images, SEEDS[: len(images)], 0).numpy()


def gain(attacked, images, weights):
    return np.sum((attacked.astype(np.float64) - images) * weights, axis=(1, 2, 3))


def lengths(perturbation, norm="l2"):
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    return np.linalg.norm(perturbation.reshape(len(perturbation), -1), axis=1, ord=order)


# --- optimum of a linear model


def test_reaches_the_linf_optimum():
    inner = 0.5 * IMAGES[:8]
    attacked = run(SquareSearch(0.1, 2000), linear(WEIGHTS), inner)
    optimum = 0.1 * np.abs(WEIGHTS).sum()
    assert gain(attacked, inner, WEIGHTS).min() >= 0.95 * optimum


def test_reaches_the_l2_optimum_of_a_patch():
    # Perturbations are sums of smooth patches of at least 3 x 3 pixels, so the fair direction is
    # one of them. In white noise (8 x 8 x 3) 5000 queries find about 60 % of the optimum.
    weights = np.zeros([SIZE, SIZE, 1], np.float32)
    weights[2:5, 3:6, 0] = eta(3).T
    inner = 0.5 * IMAGES[:8, :, :, :1]
    attacked = run(SquareSearch(0.5, 5000, "l2"), linear(weights), inner)
    assert gain(attacked, inner, weights).min() >= 0.95 * 0.5 * np.linalg.norm(weights)


# --- the paper's algorithms, one sample and one query at a time


def reference_schedule(query, queries):
    last_queries = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
    return 2 ** sum(query * 10_000 // queries > last for last in last_queries)


def reference_patch(side, turned):
    """Equation (2) with the paper's indices from 1."""

    def bump(height, width):
        values, n = np.zeros([height, width]), height // 2
        for r in range(1, height + 1):
            for s in range(1, width + 1):
                last = n - max(abs(r - height // 2 - 1), abs(s - width // 2 - 1))
                values[r - 1, s - 1] = sum(1 / (n + 1 - k) ** 2 for k in range(last + 1))
        return values

    half = side // 2
    patch = np.concatenate([bump(side, half), -bump(side, side - half)], axis=1)
    return (patch.T if turned else patch) / np.linalg.norm(patch)


def reference_linf_start(image, epsilon, draws):
    stripes = np.where(draws.reshape(1, SIZE, 3) < 0.5, epsilon, -epsilon)
    return image + np.repeat(stripes, SIZE, axis=0)


def reference_linf_move(image, attacked, epsilon, draws, side):
    row, column = (draws[:2] * (SIZE - side + 1)).astype(int)
    moved = attacked.copy()
    for channel in range(3):
        step = 2 * epsilon if draws[2 + channel] < 0.5 else -2 * epsilon
        moved[row : row + side, column : column + side, channel] += step
    return np.clip(moved, image - epsilon, image + epsilon)


def reference_l2_start(image, epsilon, draws):
    perturbation, draws = np.zeros_like(image), draws.reshape(4, 4, 4)
    for row in range(4):  # Tiles of ceil(8 / 5) = 2 pixels.
        for column in range(4):
            turned, *signs = draws[row, column] < 0.5
            for channel, positive in enumerate(signs):
                tile = reference_patch(2, not turned) * (1 if positive else -1)
                top, left = 2 * row, 2 * column
                perturbation[top : top + 2, left : left + 2, channel] = tile
    return image + epsilon * perturbation / np.linalg.norm(perturbation)


def reference_l2_move(image, attacked, epsilon, draws, side):
    """Algorithm 3."""
    row1, column1, row2, column2 = (draws[:4] * (SIZE - side + 1)).astype(int)
    nu = attacked - image
    unused = max(epsilon**2 - np.sum(nu**2), 0)
    for channel in range(3):
        plane = nu[:, :, channel]  # A view: what is written to it is written to nu.
        first = plane[row1 : row1 + side, column1 : column1 + side]
        second = plane[row2 : row2 + side, column2 : column2 + side]
        patch = reference_patch(side, draws[4] < 0.5) * (1 if draws[5 + channel] < 0.5 else -1)
        direction = patch + first / max(np.linalg.norm(first), 1e-12)
        before = np.sum(plane**2)
        second_without_first = plane.copy()
        second_without_first[row1 : row1 + side, column1 : column1 + side] = 0
        second_without_first[row2 : row2 + side, column2 : column2 + side] = 0
        available = np.sqrt(before - np.sum(second_without_first**2) + unused / 3)
        second[:] = 0
        first[:] = direction / np.linalg.norm(direction) * available
    return image + nu


def reference_l1_patch(side, turned):
    """Like the L2 patch, with the fourth power of the distance and absolute sum 1."""
    half, patch = side // 2, np.zeros([side, side])
    for first, width, sign in ((0, half, 1), (half, side - half, -1)):
        for row in range(side):
            for column in range(width):
                far = max(abs(row - side // 2), abs(column - width // 2))
                terms = [1 / (1 + k) ** 4 for k in range(far, side // 2 + 1)]
                patch[row, first + column] = sign * sum(terms)
    return (patch.T if turned else patch) / np.abs(patch).sum()


def reference_l1_start(image, epsilon, draws):
    perturbation, draws = np.zeros_like(image), draws.reshape(4, 4, 4)
    for row in range(4):
        for column in range(4):
            turned, *signs = draws[row, column] < 0.5
            for channel, positive in enumerate(signs):
                tile = reference_l1_patch(2, not turned) * (2 if positive else -2)
                top, left = 2 * row, 2 * column
                perturbation[top : top + 2, left : left + 2, channel] = tile
    return nearest(image, image + perturbation, epsilon)


def reference_l1_move(image, attacked, epsilon, draws, side):
    """As in L2, with absolute sums, three times as much as is free, and a projection."""
    row1, column1, row2, column2 = (draws[:4] * (SIZE - side + 1)).astype(int)
    nu = attacked - image
    unused = max(epsilon - np.abs(nu).sum(), 0)
    for channel in range(3):
        plane = nu[:, :, channel]
        first = plane[row1 : row1 + side, column1 : column1 + side]
        second = plane[row2 : row2 + side, column2 : column2 + side]
        patch = reference_l1_patch(side, draws[4] < 0.5) * (1 if draws[5 + channel] < 0.5 else -1)
        direction = patch + first / max(np.abs(first).sum(), 1e-12)
        before = np.abs(plane).sum()
        first[:] = 0
        second[:] = 0
        available = 3 * (before - np.abs(plane).sum() + unused / 3)
        first[:] = direction / np.abs(direction).sum() * available
    return nearest(image, image + nu, epsilon)


@tf.function(autograph=False)
def draws_of(seeds, query, lanes):
    return uniform(seeds, 0, query, lanes)


def reference_search(image, margin, seed, epsilon, queries, norm):
    start, move, least = {
        "linf": (reference_linf_start, reference_linf_move, 1),
        "l2": (reference_l2_start, reference_l2_move, 3),
        "l1": (reference_l1_start, reference_l1_move, 3),
    }[norm]

    def draw(query, lanes):
        return draws_of(tf.constant(seed[None]), tf.constant(query), lanes).numpy()[0]

    attacked = np.clip(start(image, epsilon, draw(0, 24 if norm == "linf" else 64)), -1, 1)
    for query in range(1, queries):
        share = 0.8 / reference_schedule(query, queries)
        side = min(max(round(np.sqrt(share * SIZE * SIZE)), least), SIZE - 1)
        draws = draw(query, 5 if norm == "linf" else 8)
        moved = np.clip(move(image, attacked, epsilon, draws, side), -1, 1)
        if margin(attacked) <= 0 and margin(moved) > margin(attacked):
            attacked = moved
    return attacked


@pytest.mark.parametrize(("norm", "epsilon"), NORMS)
def test_follows_the_papers_algorithm(norm, epsilon):
    images, weights = IMAGES[:3].astype(np.float64), WEIGHTS.astype(np.float64)
    attacked = run(SquareSearch(epsilon, 150, norm), curved(weights), images)
    for number, image in enumerate(images):

        def margin(image):
            return np.sum(np.sin(9.0 * image) * weights) - 1000.0

        expected = reference_search(image, margin, SEEDS[number], epsilon, 150, norm)
        # Moves take roots and thresholds of sums, whose rounding depends on the order of summing.
        np.testing.assert_allclose(attacked[number], expected, atol=1e-7)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 7])
def test_patch_is_that_of_the_paper(side):
    np.testing.assert_allclose(eta(side), reference_patch(side, turned=False), atol=1e-12)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 7])
def test_patch_in_l1_has_sharper_peaks(side):
    expected = reference_l1_patch(side, turned=False)
    np.testing.assert_allclose(L1Moves.patch(side), expected, atol=1e-12)


def test_schedule_of_ten_thousand_queries():
    shares = SquareSearch(0.1, 10_000).shares()
    table = {0: 1, 10: 1, 11: 2, 50: 2, 51: 4, 200: 4, 201: 8, 500: 8, 501: 16, 1000: 16}
    table |= {1001: 32, 2000: 32, 2001: 64, 4000: 64, 4001: 128, 6000: 128, 6001: 256}
    table |= {8000: 256, 8001: 512, 9999: 512}
    for query, divisor in table.items():
        assert shares[query] == 0.8 / divisor, query
    assert len(shares) == 10_000


def test_schedule_of_autoattack_is_half_of_it():
    # As p_selection of the authors' AutoAttack, which does not rescale: by the query's own number.
    shares = SquareSearch(0.1, 5000, schedule_queries=SCHEDULED_QUERIES).shares()
    last = {1: 10, 2: 50, 4: 200, 8: 500, 16: 1000, 32: 2000, 64: 4000, 128: 4999}
    for divisor, query in last.items():
        assert shares[query] == 0.8 / divisor
        assert query == 4999 or shares[query + 1] == 0.4 / divisor
    assert len(shares) == 5000
    assert SquareSearch(0.1).shares()[4999] == 0.8 / 512


def test_schedule_is_scaled_to_the_number_of_queries():
    shares = SquareSearch(0.1, 100, initial_share=0.5).shares()
    np.testing.assert_array_equal(shares[[0, 1, 2, 3, 99]], 0.5 / np.array([1, 4, 4, 8, 512]))


# --- bounds and samples that are left alone


LARGE = [("linf", 2.0), ("l2", 0.5), ("l2", 8.0), ("l1", 0.5), ("l1", 100.0)]


@pytest.mark.parametrize(("norm", "epsilon"), [*NORMS, *LARGE])
def test_stays_in_ball_and_box(norm, epsilon):
    attacked = run_on_curved(SquareSearch(epsilon, 300, norm))
    change = attacked.astype(np.float64) - IMAGES
    largest = lengths(change, norm).max()
    assert 0.5 * min(epsilon, 2.0) < largest <= epsilon * (1.0 + 1e-6)
    assert np.abs(attacked).max() <= 1.0


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_no_radius_and_no_queries_are_no_attack(norm):
    def fail(images):
        raise AssertionError

    labels = np.zeros(100, np.int32)
    for search in (SquareSearch(0.0, 50, norm), SquareSearch(0.1, 0, norm)):
        np.testing.assert_array_equal(search(fail, IMAGES, labels, SEEDS), IMAGES)


@pytest.mark.parametrize(("norm", "epsilon"), NORMS)
def test_margin_rises_above_the_starts(norm, epsilon):
    def margins(queries):
        attacked = run_on_curved(SquareSearch(epsilon, queries, norm))
        return np.sum(np.sin(9.0 * attacked) * WEIGHTS, axis=(1, 2, 3))

    assert np.all(margins(200) > margins(1))


@pytest.mark.parametrize(("norm", "epsilon"), NORMS)
def test_the_first_success_is_kept(norm, epsilon):
    tried, margins, images = [], [], IMAGES[:10]
    model = linear(WEIGHTS, bias=5.0)

    def logits(images):
        result = model(images)
        tried.append(images.numpy())
        margins.append((result[:, 1] - result[:, 0]).numpy())
        return result

    search = SquareSearch(epsilon, 100, norm)
    attacked = search(logits, images, np.zeros(10, np.int32), SEEDS[:10]).numpy()
    success = np.array(margins) > 0
    # What is looked at first is the original: some are wrong without an attack.
    assert success[0].any() and not success[0].all() and success[:, ~success[0]].any()
    for sample in np.flatnonzero(success.any(axis=0)):
        first = success[:, sample].argmax()
        np.testing.assert_array_equal(attacked[sample], tried[first][sample])


def test_stops_when_all_are_fooled():
    calls = []
    model = linear(WEIGHTS, bias=float(np.sum(IMAGES[0] * WEIGHTS)) + 5.0)

    def logits(images):
        calls.append(1)
        return model(images)

    search = SquareSearch(0.3, 5000)
    attacked = search(logits, IMAGES[:1], np.zeros(1, np.int32), SEEDS[:1])
    assert 2 < len(calls) < 200
    assert model(attacked)[0, 1] > model(attacked)[0, 0]


@pytest.mark.parametrize(("norm", "epsilon"), [*NORMS, ("l2", 1.0)])
def test_result_does_not_depend_on_the_batch(norm, epsilon):
    search = SquareSearch(epsilon, 150, norm)

    def score(images):  # Of dyadic numbers, so that no order of summation rounds.
        return tf.reduce_sum(tf.round(images * 256.0) * tf.round(WEIGHTS * 16.0), [1, 2, 3])

    attack = in_a_graph(search, two_classes(score, bias=1e6), IMAGES)
    together = attack(IMAGES, SEEDS, 0).numpy()
    for part in (slice(0, 7), slice(60, 67), slice(0, 1), slice(5, 6), slice(99, 100)):
        np.testing.assert_array_equal(together[part], attack(IMAGES[part], SEEDS[part], 0))


def test_another_round_finds_something_else():
    search = SquareSearch(0.3, 20, restarts=2)
    assert (search.rounds, search.name) == (2, "square")
    attack = in_a_graph(search, curved(WEIGHTS), IMAGES)
    first, second = (attack(IMAGES[:5], SEEDS[:5], number).numpy() for number in range(2))
    assert np.all(np.any(first != second, axis=(1, 2, 3)))


# --- with models and graphs


@pytest.mark.parametrize(("norm", "epsilon"), NORMS)
def test_works_in_a_graph_with_unknown_batch_size(norm, epsilon):
    search, images = SquareSearch(epsilon, 30, norm), IMAGES.astype(np.float64)
    model = curved(WEIGHTS.astype(np.float64))
    attack = in_a_graph(search, model, images)
    for count in (1, 7, 100):
        attacked = attack(images[:count], SEEDS[:count], 0)
        assert attacked.shape == (count, SIZE, SIZE, 3)
    assert attack.experimental_get_tracing_count() == 1
    eager = search(model, images[:7], np.zeros(7, np.int32), SEEDS[:7])
    np.testing.assert_allclose(attacked[:7], eager, atol=1e-9)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 11])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_works_with_any_size_of_image(size, norm):
    images = RANDOM.uniform(-1, 1, [3, size, size, 1]).astype(np.float32)
    search = SquareSearch(0.2, 10, norm)
    attacked = search(linear(1.0), images, np.zeros(3, np.int32), SEEDS[:3]).numpy()
    assert np.abs(attacked).max() <= 1.0
    assert np.all(np.any(attacked != images, axis=(1, 2, 3)))
    assert lengths(attacked - images, norm).max() <= 0.2 + 1e-6


def test_changes_no_variable_and_passes_no_gradient():
    model = keras.Sequential(
        [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    model(IMAGES)
    before = [variable.numpy() for variable in model.variables]
    images = tf.constant(IMAGES[:4])
    with tf.GradientTape() as tape:
        tape.watch(images)
        attacked = SquareSearch(0.1, 10)(
            lambda batch: model(batch, training=False), images, np.arange(4), SEEDS[:4]
        )
        total = tf.reduce_sum(attacked)
    assert tape.gradient(total, images) is None
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable)


# --- bad arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"norm": "l7"}, "norm 'l7' does not exist; choose one of 'l1', 'l2', 'linf'"),
        ({"epsilon": -0.1}, "epsilon must not be negative, got -0.1"),
        ({"queries": -1}, "queries must not be negative, got -1"),
        ({"epsilon": 8}, "above 2.*8/255 of the .* scale is 0.0627"),
        ({"initial_share": 0.0}, r"initial_share must be in \(0, 1\], got 0.0"),
        ({"initial_share": 1.1}, r"initial_share must be in \(0, 1\], got 1.1"),
        ({"restarts": 0}, "restarts must be at least 1, got 0"),
        ({"schedule_queries": 0}, "schedule_queries must be at least 1, got 0"),
    ],
)
def test_refuses_numbers_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        SquareSearch(**{"epsilon": 0.1, **arguments})


def test_refuses_images_that_are_not_square():
    with pytest.raises(ValueError, match=r"needs square images, got \(100, 8, 6, 3\)"):
        SquareSearch(0.1)(linear(1.0), IMAGES[:, :, :6], np.zeros(100, np.int32), SEEDS)
