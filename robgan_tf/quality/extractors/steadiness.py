"""Refuses extractors whose features are of more than the image."""

import numpy as np

from robgan_tf.errors import UserError
from robgan_tf.quality.extractors.extractor import FeatureExtractor
from robgan_tf.robustness.steadiness import first_change, unlike_images


def check_steadiness(extractor: FeatureExtractor) -> None:
    """Calls an extractor on the same few images again, and in other batches.

    Args:
      extractor: what was opened.

    Raises:
      UserError: if its features or probabilities of an image change; see `first_change`.
    """

    def call(images: np.ndarray) -> list[np.ndarray]:
        return [part for part in extractor(images) if part is not None]

    found = first_change(call, unlike_images(extractor.image_shape))
    if found is not None:
        when, change = found
        raise UserError(
            f"{extractor.name} says something else of the same image {when}: it changes by "
            f"{change:.1%} of the spread between images, and scores would depend on chance or on "
            "how images are batched. Features must be of the image alone: call the network in "
            "inference mode (training=False), without statistics of the batch and dropout"
        )
