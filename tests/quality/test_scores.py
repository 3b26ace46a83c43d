"""Names, counts and warnings of image quality; the measures have tests of their own."""

import dataclasses
import re

import numpy as np
import pytest

from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from robgan_tf.quality.image_features import ImageFeatures, ReferenceFeatures, extract
from robgan_tf.quality.measure import short
from robgan_tf.quality.measures.fid import frechet_distance
from robgan_tf.quality.measures.inception_score import inception_score
from robgan_tf.quality.measures.kid import kernel_distance
from robgan_tf.quality.measures.precision_recall import precision_recall
from robgan_tf.quality.scores import bias_warning, quality, quality_by_class
from tests.data.helpers import numbered_source


def features(count, seed, width=5, shift=0.0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=[count, 4])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    values = generator.normal(size=[count, width]) + shift
    return ImageFeatures(
        values.astype(np.float32), probabilities.astype(np.float32), np.arange(count) % 3
    )


@dataclasses.dataclass
class Brightness:
    """An extractor: mean and spread of an image; counts how many images it has seen."""

    name: str = "brightness-asis"
    dimensions: int = 2
    classes: int | None = None
    source: str = ""
    probe: np.ndarray = dataclasses.field(default_factory=lambda: np.float32([[9, 1], [4, 2]]))
    seen: int = 0

    def __call__(self, images):
        assert images.dtype == np.uint8
        self.seen += len(images)
        flat = images.reshape(len(images), -1).astype(np.float32)
        return np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1), None


def test_every_measure_is_that_of_its_module_under_a_name_that_says_what_it_is():
    real, fake = features(1000, 0), features(60, 1, shift=0.5)
    values = quality(real, fake, "net-antialias224", "train", splits=5)
    mean, deviation = inception_score(fake.probabilities, 5)
    moments = [np.mean(x.features, axis=0, dtype=np.float64) for x in (real, fake)]
    covariances = [np.cov(x.features.astype(np.float64), rowvar=False) for x in (real, fake)]
    precision, recall = precision_recall(real.features, fake.features, 3)
    expected = {
        "is/net-antialias224/60-5splits": mean,
        "is_deviation/net-antialias224/60-5splits": deviation,
        "fid/net-antialias224/train1k-60": frechet_distance(
            moments[0], covariances[0], moments[1], covariances[1]
        ),
        "kid/net-antialias224/train1k-60": kernel_distance(real.features, fake.features),
        "precision/net-antialias224/train1k-60": precision,
        "recall/net-antialias224/train1k-60": recall,
    }
    assert expected.keys() <= values.keys()
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-9), name


def test_a_set_is_at_no_distance_from_itself():
    same = features(300, 0)
    values = quality(same, same, "net", "train")
    assert values["fid/net/train300-300"] < 1e-6
    assert values["precision/net/train300-300"] == 1.0


def test_only_classes_with_more_images_than_dimensions_have_a_distance():
    real, fake = features(90, 0), features(30, 1)
    fake = dataclasses.replace(fake, labels=np.array([0] * 20 + [1] * 5 + [2] * 5))
    distances = quality_by_class(real, fake, ["a", "b", "c"])
    assert list(distances) == ["a"]
    chosen = real.features[real.labels == 0].astype(np.float64)
    expected = frechet_distance(
        chosen.mean(axis=0), np.cov(chosen, rowvar=False), *fake.moments(np.arange(20))
    )
    assert distances["a"] == pytest.approx(expected, rel=1e-9)


def test_few_images_are_warned_of_and_too_few_refused():
    assert bias_warning(features(100, 0), features(50, 1)) is None
    assert "only 5 images for features of 5 dimensions" in bias_warning(
        features(100, 0), features(5, 1)
    )
    assert "is/net/9-3splits" in quality(features(100, 0), features(9, 1), "net", "train", 3)
    with pytest.raises(UserError, match="9 images cannot be divided into 10 splits"):
        quality(features(100, 0), features(9, 1), "net", "train")
    with pytest.raises(UserError, match="3 images are too few for"):
        quality(features(3, 0), features(30, 1), "net", "train")


def test_counts_are_short():
    assert [short(count) for count in (355, 1000, 50_000, 50_500)] == ["355", "1k", "50k", "50500"]


def test_real_images_are_seen_once(tmp_path):
    source, extractor = numbered_source(50, classes=2), Brightness()
    first = ReferenceFeatures(tmp_path, extractor, source, "numbers", batch_size=7)
    found = first.load()
    assert extractor.seen == 50
    np.testing.assert_allclose(found.features[:, 0], np.arange(50))
    again = ReferenceFeatures(tmp_path, extractor, source, "numbers", batch_size=7).load()
    assert extractor.seen == 50
    np.testing.assert_array_equal(again.features, found.features)
    np.testing.assert_array_equal(again.labels, np.arange(50) % 2)
    assert re.fullmatch(r"numbers-2px-50-brightness-asis-[0-9a-f]{8}\.npz", first.path.name)


def test_images_that_differ_in_one_only_are_others(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, [50, 2, 2, 1], np.uint8)
    other = pixels.copy()
    other[33, 1, 1, 0] ^= 1
    paths = {
        ReferenceFeatures(
            tmp_path, Brightness(), InMemorySource(x, np.zeros(50), ["a"], 2), "x"
        ).path
        for x in (pixels, other, pixels.copy())
    }
    assert len(paths) == 2


def test_other_images_and_other_weights_are_in_other_files(tmp_path):
    images = numbered_source(60)
    references = [
        ReferenceFeatures(tmp_path, extractor, images.subset(np.arange(start, start + 50)), "x")
        for extractor, start in ((Brightness(), 0), (Brightness(), 10), (Brightness(source="b"), 0))
    ]
    found = [reference.load().features[0, 0] for reference in references]
    assert found == [0, 10, 0]
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("other_dataset", "message"),
    [({"start": 10}, "labels, pixels"), ({"resolution": 4}, "pixels, resolution")],
)
def test_a_file_of_another_dataset_or_resolution_is_refused(tmp_path, other_dataset, message):
    def reference(start=0, resolution=2):
        source = numbered_source(80, resolution).subset(np.arange(start, start + 50))
        return ReferenceFeatures(tmp_path, Brightness(), source, "numbers")

    reference().load()
    wanted = reference(**other_dataset)
    reference().path.rename(wanted.path)
    with pytest.raises(UserError, match=rf"is of other images .* differs in {message}\)"):
        wanted.load()


def test_features_of_a_function_that_has_other_weights_now_are_refused(tmp_path):
    reference = ReferenceFeatures(tmp_path, Brightness(), numbered_source(50), "numbers")
    reference.load()
    # Another processor's rounding, and another network.
    near = Brightness(probe=np.float32([[9.01, 1], [4, 2]]))
    assert ReferenceFeatures(tmp_path, near, numbered_source(50), "numbers").load()
    other = Brightness(probe=np.float32([[9, 1], [4, 3]]))
    with pytest.raises(UserError, match="differs in what the extractor makes of the same images"):
        ReferenceFeatures(tmp_path, other, numbered_source(50), "numbers").load()


@pytest.mark.parametrize("content", [b"half", b"", None])
def test_a_damaged_file_is_refused(tmp_path, content):
    reference = ReferenceFeatures(tmp_path, Brightness(), numbered_source(50), "numbers")
    if content is None:
        np.save(reference.path, np.zeros(3))
        reference.path.with_suffix(".npz.npy").rename(reference.path)
    else:
        reference.path.write_bytes(content)
    with pytest.raises(UserError, match=r"cannot be read: .* remove it"):
        reference.load()


def test_where_nothing_can_be_kept_or_compared_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be kept in .*file"):
        ReferenceFeatures(tmp_path / "file", Brightness(), numbered_source(50), "x").load()
    with pytest.raises(UserError, match="no real images to compare with: x is empty"):
        ReferenceFeatures(tmp_path, Brightness(), numbered_source(50).subset(np.arange(0)), "x")


def test_an_extractor_that_tells_no_images_apart_is_refused(tmp_path):
    class Dead(Brightness):
        def __call__(self, images):
            return np.ones([len(images), 2], np.float32), None

    with pytest.raises(UserError, match="the same features for all 50 real images"):
        ReferenceFeatures(tmp_path, Dead(), numbered_source(50), "x").load()
    assert not list(tmp_path.iterdir())


def test_class_probabilities_are_kept_where_they_are_wanted():
    class Classes(Brightness):
        def __call__(self, images):
            features, _ = super().__call__(images)
            return features, np.stack([features[:, 0] / 100, 1 - features[:, 0] / 100], axis=1)

    source, extractor = numbered_source(30), Classes(classes=2)
    batches = [(source.fetch(range(k, k + 10)), source.labels[k : k + 10]) for k in (0, 10, 20)]
    found = extract(extractor, batches, 30)
    np.testing.assert_allclose(found.probabilities[:, 0], np.arange(30) / 100, rtol=1e-6)
    assert extract(extractor, batches, 30, with_probabilities=False).probabilities is None
    with pytest.raises(ValueError, match="31 images were announced and 30 came"):
        extract(extractor, batches, 31)


def test_large_sets_are_compared_image_by_image_in_part(monkeypatch):
    monkeypatch.setattr("robgan_tf.quality.scores.MOST_COMPARED", 40)
    real, fake = features(100, 0), features(60, 1)
    values = quality(real, fake, "net", "train")
    rows = [np.linspace(0, count - 1, 40).round().astype(int) for count in (100, 60)]
    some = [x.features[chosen] for x, chosen in zip((real, fake), rows, strict=True)]
    assert values["kid/net/train40-40"] == pytest.approx(kernel_distance(*some), rel=1e-12)
    assert values["precision/net/train40-40"] == precision_recall(*some, 3)[0]
    assert "fid/net/train100-60" in values


def test_batches_change_nothing():
    source = numbered_source(30)
    sets = [
        extract(
            Brightness(),
            (
                (source.fetch(range(k, min(k + size, 30))), source.labels[k : k + size])
                for k in range(0, 30, size)
            ),
            30,
        )
        for size in (1, 7, 30)
    ]
    for one in sets[1:]:
        np.testing.assert_array_equal(one.features, sets[0].features)
        np.testing.assert_array_equal(one.labels, sets[0].labels)
