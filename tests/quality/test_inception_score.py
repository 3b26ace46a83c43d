"""Inception Scores against closed forms and the definition, written out in float64."""

import math

import numpy as np
import pytest

from robgan_tf.quality.measures.inception_score import inception_score


def random_probabilities(count, classes, kind=np.float64, sharpness=3.0):
    logits = sharpness * np.random.default_rng(count).normal(size=[count, classes])
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(kind)


def by_definition(probabilities, parts):
    scores = []
    for part in parts:
        rows = probabilities[part].astype(np.float64)
        marginal = rows.mean(axis=0)
        divergences = []
        for row in rows:
            pairs = zip(row, marginal, strict=True)
            divergences.append(sum(p * math.log(p / q) for p, q in pairs if p > 0))
        scores.append(math.exp(math.fsum(divergences) / len(rows)))
    return np.mean(scores), np.std(scores)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("splits", [1, 2, 10])
def test_definition(kind, splits):
    # More rows in a split than are summed at a time.
    probabilities = random_probabilities(2600, 7, kind)
    size = 2600 // splits
    parts = [slice(number * size, (number + 1) * size) for number in range(splits)]
    mean, deviation = inception_score(probabilities, splits)
    assert type(mean) is float and type(deviation) is float
    expected = by_definition(probabilities, parts)
    assert (mean, deviation) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_ten_splits_unless_told_otherwise():
    probabilities = random_probabilities(100, 5)
    assert inception_score(probabilities) == inception_score(probabilities, splits=10)


def test_splits_that_do_not_divide_the_images():
    probabilities = random_probabilities(11, 4)
    parts = [slice(0, 4), slice(4, 8), slice(8, 11)]
    expected = by_definition(probabilities, parts)
    assert inception_score(probabilities, 3) == pytest.approx(expected, rel=1e-12)


def test_a_sure_classifier_and_even_classes_score_the_number_of_classes():
    probabilities = np.tile(np.eye(10), [20, 1])
    assert inception_score(probabilities, 4) == pytest.approx((10.0, 0.0), abs=1e-12)


@pytest.mark.parametrize(
    "probabilities", [np.full([30, 8], 0.125), np.tile([[0.0, 1.0, 0.0]], [30, 1])]
)
def test_equal_predictions_score_one(probabilities):
    assert inception_score(probabilities, 3) == pytest.approx((1.0, 0.0), abs=1e-12)


def test_splits_are_consecutive():
    """Sorted by class, a split sees one class: the score falls to 1."""
    in_turn = np.tile(np.eye(5), [10, 1])
    by_class = np.repeat(np.eye(5), 10, axis=0)
    assert inception_score(in_turn, 5)[0] == pytest.approx(5.0)
    assert inception_score(by_class, 5)[0] == pytest.approx(1.0)


def test_the_deviation_is_that_of_the_splits_themselves():
    # The first split scores 2, the second 1.
    probabilities = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], np.float32)
    assert inception_score(probabilities, 2) == pytest.approx((1.5, 0.5))


def test_the_order_within_a_split_makes_no_difference():
    probabilities = random_probabilities(3000, 6)
    shuffled = np.random.default_rng(1).permutation(probabilities)
    expected = inception_score(probabilities, 1)
    assert inception_score(shuffled, 1) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("probabilities", "splits", "message"),
    [
        (np.ones(4), 1, r"must be \[N, K\], not \[4\]"),
        (np.ones([4, 1]), 5, "from 1 to the number of images, 4, not 5"),
        (np.ones([4, 1]), 0, "from 1 to the number of images, 4, not 0"),
        (np.ones([0, 3]), 1, "from 1 to the number of images, 0, not 1"),
        (np.ones([4, 3]), 1, "one sums to 3: are these logits"),
        (np.zeros([4, 0]), 1, "one sums to 0"),
        ([[0.5, 0.5], [0.7, 0.2]], 1, "one sums to 0.9"),
        ([[1.5, -0.5]], 1, "negative or NaN"),
        ([[np.nan, 1.0]], 1, "negative or NaN"),
        ([[np.inf, 0.0]], 1, "one sums to inf"),
    ],
)
def test_bad_input(probabilities, splits, message):
    with pytest.raises(ValueError, match=message):
        inception_score(probabilities, splits)
