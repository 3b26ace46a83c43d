"""Items come in their order, the next one made meanwhile, and what making one raises is raised."""

import threading

import numpy as np
import pytest

from robgan_tf.quality.ahead import one_ahead
from robgan_tf.quality.extractors import FeatureExtractor
from robgan_tf.quality.image_features import extract


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


def test_the_next_batch_is_made_while_features_of_one_are_extracted():
    second = threading.Event()

    def batches():
        yield np.zeros([1, 2, 2, 1], np.uint8), np.zeros(1, int)
        second.set()
        yield np.zeros([1, 2, 2, 1], np.uint8), np.ones(1, int)

    def call(images):
        assert second.wait(10)
        return np.zeros([len(images), 3], np.float32)

    extractor = FeatureExtractor("x", call, 3, None, (2, 2, 1), "x", np.zeros([1, 3]))
    assert extract(extractor, batches(), 2).labels.tolist() == [0, 1]


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("the second")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="the second"):
        next(ahead)


def test_whoever_stops_early_does_not_wait_for_the_item_being_made():
    begun, goes_on, made = threading.Event(), threading.Event(), []

    def items():
        yield 1
        begun.set()
        goes_on.wait(10)
        made.append(2)
        yield 2

    ahead = one_ahead(items())
    assert next(ahead) == 1
    assert begun.wait(10)
    ahead.close()
    assert not made
    goes_on.set()
