"""Items come in their order, the next one made meanwhile, and what making one raises is raised."""

import threading

import pytest

from robgan_tf.quality.ahead import one_ahead


def test_items_come_in_their_order():
    assert list(one_ahead(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert list(one_ahead([])) == []


def test_the_next_item_is_made_while_one_is_used_and_no_other():
    begun = [threading.Event() for _ in range(3)]

    def items():
        for number, event in enumerate(begun):
            event.set()
            yield number

    ahead = one_ahead(items())
    assert next(ahead) == 0
    assert begun[1].wait(10)
    assert not begun[2].wait(0.1)
    assert list(ahead) == [1, 2]


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("the second")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="the second"):
        next(ahead)


def test_whoever_stops_early_does_not_wait_for_the_item_being_made():
    goes_on, made = threading.Event(), []

    def items():
        yield 1
        goes_on.wait(10)
        made.append(2)
        yield 2

    ahead = one_ahead(items())
    assert next(ahead) == 1
    ahead.close()
    assert not made
    goes_on.set()
