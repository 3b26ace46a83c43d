"""Which images and radii an evaluation takes, with which attacks."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.protocol import make_attacks
from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from robgan_tf.robustness.run import Protocol, choose_images, evaluate_robustness
from robgan_tf.robustness.subjects import Classifier

PIXELS = np.random.default_rng(0).integers(0, 256, [1200, 2, 2, 1]).astype(np.uint8)
LABELS = np.arange(1200) % 2
# In stored order 0, 7, 14, ...: neither sorted nor its own inverse.
ORDER = np.arange(1200) * 7 % 1200
IDS = np.array([f"test_{number:05d}" for number in ORDER])


def source(ids=IDS, pixels=PIXELS):
    return InMemorySource(pixels, LABELS, ("no", "yes"), 2, ids=ids)


def logits(images):
    score = tf.reduce_mean(images, axis=[1, 2, 3])
    return tf.stack([-score, score], axis=1)


CLASSIFIER = Classifier("mean", logits, "test")


def test_strong_takes_the_first_thousand_by_id():
    chosen, description = choose_images(source(), Protocol("strong", (0.02,)), None)
    np.testing.assert_array_equal(ORDER[chosen], np.arange(1000))
    assert description == "The first 1000 images of 1200 by id"
    # Of a part of the data, the first of that part.
    part = source().subset(np.arange(100, 300))
    chosen, _ = choose_images(part, Protocol("strong", (0.02,)), 5)
    np.testing.assert_array_equal(ORDER[100:300][chosen], np.sort(ORDER[100:300])[:5])


def test_without_ids_the_stored_order_decides():
    chosen, description = choose_images(source(ids=None), Protocol("strong", (0.02,)), None)
    np.testing.assert_array_equal(chosen, np.arange(1000))
    assert description == "The first 1000 images of 1200 in stored order"


def test_published_takes_all_unless_asked_for_fewer():
    chosen, description = choose_images(source(), Protocol("published", (0.02,)), None)
    np.testing.assert_array_equal(chosen, np.arange(1200))
    assert description == "All 1200 images"
    assert len(choose_images(source(), Protocol("published", (0.02,)), 7)[0]) == 7
    for count in (0, 1201):
        with pytest.raises(UserError, match="the split holds 1200 images"):
            choose_images(source(), Protocol("published", (0.02,)), count)


def test_strong_adds_eight_of_255():
    assert Protocol("strong", (0.08, 0.02)).radii == [0.02, 16 / 255, 0.08]
    assert Protocol("strong", (0.02,), norm="l2").radii == [0.02]
    assert Protocol("published", (0.02,)).radii == [0.02]
    # What would have the same name in files is one radius.
    assert Protocol("strong", (0.0627451,)).radii == [0.0627451]


def test_presets():
    (published,) = make_attacks("published", 0.04, "linf", 10)
    assert (published.name, published.rounds, published.keep) == ("pgd-20", 1, "last")
    names = [attack.name for attack in make_attacks("strong", 0.04, "linf", 10)]
    assert names == ["apgd-cross_entropy", "apgd-targeted_dlr", "square"]
    assert [attack.rounds for attack in make_attacks("strong", 0.04, "linf", 5)] == [1, 4, 1]
    names = [attack.name for attack in make_attacks("strong", 0.04, "linf", 2)]
    assert names == ["apgd-cross_entropy", "apgd-margin", "square"]


def evaluated(folder, images, **options):
    protocol = Protocol("published", (0.02,), **options)
    return evaluate_robustness([(CLASSIFIER, folder, "result")], images, protocol, 50)


def test_a_data_set_without_a_negative_pixel_is_warned_of(tmp_path, capsys):
    evaluated(tmp_path / "a", source(), masking=False)
    assert "warning" not in capsys.readouterr().out
    evaluated(tmp_path / "b", source(pixels=128 + PIXELS // 2), masking=False)
    assert "warning: no pixel of these images is negative" in capsys.readouterr().out


def test_a_masking_report_once_made_is_kept(tmp_path):
    with_report = evaluated(tmp_path, source())
    assert "sign of masked gradients" in with_report
    assert evaluated(tmp_path, source(), masking=False) == with_report


def test_results_of_other_images_are_refused(tmp_path):
    evaluated(tmp_path, source(), masking=False)
    with pytest.raises(UserError, match="differs in images: give another --name"):
        evaluated(tmp_path, source(pixels=PIXELS[::-1]), masking=False)
