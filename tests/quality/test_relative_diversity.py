"""Diversity of generated images as a share of the real ones', class by class."""

import numpy as np
import pytest

from robgan_tf.data.sources import InMemorySource
from robgan_tf.quality.diversity import within_class_similarity
from robgan_tf.quality.relative_diversity import RelativeDiversity


def test_every_class_is_looked_at_however_rare():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 300 + [1] * 4)
    pixels = rng.integers(0, 256, [304, 8, 8, 1], np.uint8)
    features = pixels.reshape(304, -1).astype(np.float32)
    source = InMemorySource(pixels, labels, ["many", "few"], 8)
    measure = RelativeDiversity(features, labels, source, seed=0)
    # The class of few has collapsed.
    fake_labels = np.array([0, 1] * 20)
    fake = rng.integers(0, 256, [40, 8, 8, 1], np.uint8)
    fake[1::2] = fake[1]
    found = measure(fake, fake.reshape(40, -1), fake_labels)
    assert found["diversity/worst_class"] == found["diversity/nearest_worst_class"] == 0.0
    assert found["diversity/mean"] == pytest.approx(0.5, abs=0.05)
    assert found["ms_ssim/worst_class_generated"] == pytest.approx(1.0, abs=1e-6)
    both = within_class_similarity(fake, fake_labels)
    assert found["ms_ssim/generated"] == pytest.approx((both[0] + both[1]) / 2)
