"""The paired difference of two classifiers, against published numbers and against its own level."""

import numpy as np
import pytest

from robgan_tf.robustness.paired import paired_difference


def of_counts(both, first_only, second_only, neither):
    pairs = [(1, 1)] * both + [(1, 0)] * first_only + [(0, 1)] * second_only + [(0, 0)] * neither
    return paired_difference(*np.array(pairs, bool).T)


def test_a_published_example():
    """Airway hyper-responsiveness of 21 children, in Fagerland, Lydersen and Laake (2014)."""
    found = of_counts(1, 1, 7, 12)
    assert found.difference == pytest.approx(-6 / 21)
    assert found.interval_95 == pytest.approx((-0.508, -0.013), abs=6e-4)
    assert (found.first_only, found.second_only, found.images) == (1, 7, 21)
    assert found.is_below and not found.is_above


def test_it_turns_around_with_its_arguments():
    one, other = of_counts(20, 9, 3, 10), of_counts(20, 3, 9, 10)
    assert one.difference == -other.difference
    assert one.interval_95 == pytest.approx([-x for x in reversed(other.interval_95)])


def test_no_disagreement_is_not_certainty():
    low, high = of_counts(300, 0, 0, 100).interval_95
    assert -0.01 < low < 0.0 < high < 0.01


def test_the_interval_has_its_level():
    random = np.random.default_rng(0)
    true, inside = 0.05, 0
    for _ in range(2000):
        kinds = random.choice(4, 500, p=[0.3, 0.15, 0.10, 0.45])
        found = paired_difference(kinds <= 1, (kinds == 0) | (kinds == 2))
        inside += found.interval_95[0] <= true <= found.interval_95[1]
    assert 0.935 < inside / 2000 < 0.965


def test_other_images_are_refused():
    with pytest.raises(ValueError, match="same images"):
        paired_difference(np.ones(3, bool), np.ones(4, bool))
