"""What turns images into the features and class probabilities that quality is measured by."""

from robgan_tf.quality.extractors.extractor import BATCH_SIZE, FeatureExtractor
from robgan_tf.quality.extractors.opening import PIXELS, classifier_extractor, open_extractor

__all__ = [
    "BATCH_SIZE",
    "PIXELS",
    "FeatureExtractor",
    "classifier_extractor",
    "open_extractor",
]
