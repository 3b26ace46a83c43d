"""Which images of a split stand for all."""

import numpy as np
import pytest

from robgan_tf.data.subsets import balanced_rows, representative_rows

GROUPED = np.repeat(np.arange(10), 60)
MIXED = np.random.default_rng(0).permutation(GROUPED)


def test_class_folders_are_taken_evenly():
    rows, description = representative_rows(GROUPED, 300)
    assert np.bincount(GROUPED[rows]).tolist() == [30] * 10
    assert description == "300 images of 600, evenly spaced, 30 of each of 10 classes"
    # Within a class too: every other one.
    np.testing.assert_array_equal(rows, np.arange(600)[1::2])


def test_fewer_images_than_classes_are_of_different_classes_and_not_the_first():
    labels = np.repeat(np.arange(143), 7)
    rows, description = representative_rows(labels, 100)
    assert len(np.unique(labels[rows])) == 100
    assert labels[rows].max() > 130
    assert description.endswith("1 of each of 100 of 143 classes")


@pytest.mark.parametrize("count", [1, 2, 29, 31, 64, 65])
def test_small_classes_give_all_they_have(count):
    labels = np.repeat([0, 1, 2], [3, 50, 12])
    rows = balanced_rows(labels, count)
    assert len(rows) == len(np.unique(rows)) == count
    assert rows.tolist() == sorted(rows)
    counts = np.bincount(labels[rows], minlength=3)
    # Nobody has two fewer than another, but for want of images.
    for have, there in zip(counts, (3, 50, 12), strict=True):
        assert have == there or have >= counts.max() - 1


def test_names_decide_where_they_mix_the_classes():
    names = np.array([f"test_{number:05d}" for number in np.arange(600) * 7 % 600])
    rows, description = representative_rows(MIXED, 200, names)
    np.testing.assert_array_equal(names[rows], np.sort(names)[:200])
    assert description.startswith("The first 200 images of 600 by id, ")
    counts = np.bincount(MIXED[rows])
    assert description.endswith(f", {counts.min()} to {counts.max()} of each of 10 classes")


@pytest.mark.parametrize("of_each", [2, 60])
def test_names_that_begin_with_the_class_do_not(of_each):
    labels = np.repeat(np.arange(10), of_each)
    names = np.array([f"class{label}_{number:03d}" for number, label in enumerate(labels)])
    rows, description = representative_rows(labels, 10, names)
    assert labels[rows].tolist() == list(range(10))
    assert "evenly spaced" in description


def test_images_of_one_class_or_without_one_are_evenly_spaced():
    for labels in (np.zeros(90, int), np.full(90, -1)):
        names = np.array([f"frame{number:03d}" for number in range(90)])
        rows, _ = representative_rows(labels, 3, names)
        assert rows.tolist() == [15, 45, 75]


def test_all_are_all():
    rows, description = representative_rows(GROUPED, 600, np.arange(600).astype(str)[::-1])
    np.testing.assert_array_equal(rows, np.arange(600))
    assert description == "All 600 images"
