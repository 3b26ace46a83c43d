"""Choice of classes by name, by number, or by default."""

import itertools

import pytest

from robgan_tf.sampling.classes import choose_classes
from tests.data.helpers import user_error

NAMES = ("cat", "dog", "7", "fish")


@pytest.mark.parametrize(
    ("wanted", "labels"),
    [
        (None, [0, 1, 2, 3]),
        ([], [0, 1, 2, 3]),
        (["fish", "cat"], [3, 0]),
        (["1", "dog", "cat", "1"], [1, 1, 0, 1]),
        (["7"], [2]),
    ],
)
def test_names_come_before_numbers(wanted, labels):
    assert choose_classes(wanted, NAMES, 20) == labels


def test_of_many_classes_some_evenly_spaced_are_shown():
    names = tuple(f"class {k}" for k in range(143))
    labels = choose_classes(None, names, 20)
    assert len(labels) == 20 and labels[0] == 0 and labels[-1] == 142
    assert {later - earlier for earlier, later in itertools.pairwise(labels)} == {7, 8}
    assert choose_classes(["class 50"], names, 20) == [50]


def test_a_generator_without_classes():
    assert choose_classes(None, (), 20) == [0]
    with user_error("has no classes: leave out --classes"):
        choose_classes(["0"], (), 20)


@pytest.mark.parametrize("name", ["cow", "4", "-1", "", "²"])
def test_an_unknown_class_is_refused_with_those_known(name):
    with user_error(r"does not exist \(--classes\); there are cat, dog, 7, fish, or 0 to 3"):
        choose_classes([name], NAMES, 20)
