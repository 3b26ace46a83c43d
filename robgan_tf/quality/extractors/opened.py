"""What every extractor goes through when it is opened."""

from collections.abc import Callable
from typing import Any

import numpy as np

from robgan_tf.errors import UserError
from robgan_tf.quality.extractors.extractor import FeatureExtractor, ImageShape, outputs
from robgan_tf.quality.extractors.steadiness import check_steadiness
from robgan_tf.robustness.subject_check import are_probabilities

_PROBE_IMAGES = 3


def opened(
    name: str, call: Callable[[np.ndarray], Any], shape: ImageShape, source: str
) -> FeatureExtractor:
    """Calls an extractor on a few images to see what it gives and whether it is of them alone."""
    probe = np.random.default_rng(0).integers(0, 256, [_PROBE_IMAGES, *shape], np.uint8)
    features, logits = outputs(name, call, probe)
    if logits is not None and are_probabilities(logits):
        raise UserError(
            f"{name} gives probabilities for logits; leave out its last activation, since a "
            "softmax follows"
        )
    classes = None if logits is None else logits.shape[1]
    extractor = FeatureExtractor(name, call, features.shape[1], classes, shape, source, features)
    check_steadiness(extractor)
    return extractor
