"""Tests of the sources that hold pixels in memory."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from robgan_tf.data.sources import InMemorySource, LazySource
from tests.data.helpers import numbered_source, random_pixels


def test_fetch_returns_the_asked_images():
    source = numbered_source(10)
    images = source.fetch(np.array([7, 0, 7]))
    assert images.dtype == np.uint8 and images.shape == (3, 2, 2, 1)
    assert images[:, 0, 0, 0].tolist() == [7, 0, 7]
    assert source.labels.dtype == np.int32
    assert source.corrupt_files == {}


def test_subset_of_subset():
    source = numbered_source(10).subset([8, 2, 5]).subset([2, 0])
    assert len(source) == 2
    assert source.fetch([0, 1])[:, 0, 0, 0].tolist() == [5, 8]
    assert source.labels.tolist() == [5 % 3, 8 % 3]


def test_evenly_spaced_images_lack_no_class_where_classes_take_turns():
    # Every third image of these is of one class.
    chosen = numbered_source(91).evenly_spaced(31)
    assert np.bincount(chosen.labels).tolist() in ([11, 10, 10], [10, 11, 10], [10, 10, 11])
    images = chosen.fetch(np.arange(31))[:, 0, 0, 0]
    assert (images % 3 == chosen.labels).all() and len(set(images)) == 31
    # Otherwise nothing has changed: evenly from the first to the last.
    assert numbered_source(91).evenly_spaced(4).fetch(range(4))[:, 0, 0, 0].tolist() == [
        0,
        30,
        60,
        90,
    ]
    assert numbered_source(91).evenly_spaced(46).fetch([0, 1])[:, 0, 0, 0].tolist() == [0, 2]


@pytest.mark.parametrize(("storage", "side"), [(9, 8), (36, 32), (9, 9)])
def test_crop_equals_pil(storage, side):
    """At nearly the same size PIL's triangle filter and bilinear sampling are close."""
    ramp = np.add.outer(np.arange(storage) * 3.0, np.arange(storage) * 4.0).astype(np.uint8)
    source = InMemorySource(ramp[None, ..., None], [0], ["a"], side)
    low, high = 0.05, 0.05 + 0.9  # of area 0.81
    shown = source.fetch([0], [[low, low, high, high]])[0, ..., 0].astype(int)
    box = (low * storage, low * storage, high * storage, high * storage)
    expected = Image.fromarray(ramp).resize((side, side), Image.Resampling.BILINEAR, box=box)
    assert np.abs(shown - np.asarray(expected).astype(int)).max() <= 2


def test_box_orientation():
    """y comes first: the top left quarter, not the top right."""
    image = np.zeros([8, 8, 1], np.uint8)
    image[:4, 4:] = 200
    source = InMemorySource(image[None], [0], ["a"], 4)
    assert source.fetch([0], [[0, 0.5, 0.5, 1]]).min() == 200
    assert source.fetch([0], [[0.5, 0, 1, 0.5]]).max() == 0


def test_whole_images_from_larger_storage():
    source = numbered_source(5, resolution=8, storage=9)
    assert source.fetch([3]).shape == (1, 8, 8, 1)
    assert np.all(source.fetch([3]) == 3)


def test_pixels_are_not_copied_into_graphs():
    source = InMemorySource(random_pixels(100, 32, 32, 3), np.zeros(100), ["a"], 32)
    graph = tf.function(source.fetch_tensor).get_concrete_function(tf.TensorSpec([4], tf.int64))
    assert graph.graph.as_graph_def().ByteSize() < 10_000


def test_lazy_source_loads_once_and_only_when_needed():
    calls = []

    def load():
        calls.append(1)
        return numbered_source(6)

    source = LazySource(load, 6, ["class 0", "class 1", "class 2"], 2, 1)
    assert len(source) == 6 and source.resolution == 2 and not calls
    assert source.fetch([4])[0, 0, 0, 0] == 4
    assert source.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert len(calls) == 1


def test_lazy_source_may_first_be_used_inside_a_graph():
    source = LazySource(lambda: numbered_source(6), 6, ["a"] * 3, 2, 1)
    fetch = tf.function(source.fetch_tensor)
    assert fetch(tf.constant([4], tf.int64))[0, 0, 0, 0] == 4
    assert fetch(tf.constant([4, 5], tf.int64))[1, 0, 0, 0] == 5
