"""What is nearest to samples among training images, as numbers and as a picture."""

import numpy as np
import pytest

from robgan_tf.data.datasets.image_folder import load_class_folders
from robgan_tf.errors import UserError
from robgan_tf.sampling import memorising as module
from robgan_tf.sampling.memorising import compare, median_nearest_distance
from tests.data.helpers import make_folder, numbered_source
from tests.quality.test_neighbours import brute_force, points
from tests.quality.test_scores import Brightness


def test_the_median_distance_of_images_to_their_nearest():
    features = points(100)
    features[60] = features[5]
    distances = brute_force(features, features)
    np.fill_diagonal(distances, np.inf)
    expected = np.median(distances.min(axis=1))
    assert median_nearest_distance(features) == pytest.approx(expected, rel=1e-12)


def test_the_median_may_be_over_some_of_them(monkeypatch):
    monkeypatch.setattr(module, "MOST_MEASURED", 11)
    features = points(101)
    distances = brute_force(features, features)
    np.fill_diagonal(distances, np.inf)
    expected = np.median(distances[::10].min(axis=1))
    assert median_nearest_distance(features) == pytest.approx(expected, rel=1e-12)


def compared(samples, k=3, count=60):
    source, extractor = numbered_source(count), Brightness()
    features, _ = extractor(source.fetch(np.arange(count)))
    return compare(samples, np.zeros(len(samples), int), extractor, source, features, k)


def test_a_copy_of_a_training_image_is_at_0_and_shown_beside_it():
    values = np.array([17, 200], np.uint8)
    comparison = compared(np.broadcast_to(values[:, None, None, None], [2, 2, 2, 1]))
    record = comparison.record(("a", "b", "c"))
    assert record["training_images"] == 60
    # Brightness is 0, 1, 2, ...: every image is at 1 from its nearest.
    assert record["median_nearest_distance_of_training_images"] == 1.0
    assert record["nearest_in_medians"] == 0.0
    copy, far = (sample["neighbours"] for sample in record["samples"])
    assert copy[0] == {
        "index": 17, "id": None, "class": "class 2", "distance": 0.0, "in_medians": 0.0
    }  # fmt: skip
    assert {found["index"] for found in copy[1:]} == {16, 18}
    assert [found["distance"] for found in far] == [141.0, 142.0, 143.0]
    picture = comparison.picture(("a", "b", "c"))
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    # The sample and its copy, and nothing else, have the value 17.
    assert (picture == 17).all(axis=2).sum() == pytest.approx(2 * 96 * 96, abs=50)


def test_a_neighbour_leads_back_to_its_file(tmp_path):
    root = make_folder(tmp_path, {"a": 9})
    source = load_class_folders(root / "train", ["a"], resolution=2, channels=1).subset([1, 4, 7])
    features, _ = Brightness()(source.fetch(np.arange(3)))
    samples = np.full([1, 2, 2, 1], 4, np.uint8)
    record = compare(samples, np.zeros(1, int), Brightness(), source, features, 1).record(())
    assert record["samples"][0]["neighbours"][0]["id"] == str(root / "train" / "a" / "4.png")


def test_many_samples_continue_on_the_right():
    def picture(count):
        return compared(np.zeros([count, 2, 2, 1], np.uint8)).picture(())

    few, many = picture(10), picture(21)
    assert few.shape[0] == many.shape[0]
    assert many.shape[1] > 2.5 * few.shape[1]


def test_duplicates_everywhere_leave_no_unit():
    source, extractor = numbered_source(1).subset(np.zeros(8, int)), Brightness()
    features, _ = extractor(source.fetch(np.arange(8)))
    samples = np.full([1, 2, 2, 1], 9, np.uint8)
    comparison = compare(samples, [0], extractor, source, features, 2)
    assert comparison.record(())["nearest_in_medians"] is None
    assert comparison.record(())["samples"][0]["class"] is None
    assert comparison.picture(()).shape[2] == 3
    assert "times" not in comparison.summary()


def test_too_few_training_images_are_refused():
    with pytest.raises(UserError, match="3 training images are too few to find 3 neighbours"):
        compared(np.zeros([1, 2, 2, 1], np.uint8), k=3, count=3)
