"""How different generated images of a class are, measured against the real ones."""

from collections.abc import Mapping

import numpy as np

from robgan_tf.data.sources import ImageSource
from robgan_tf.quality.diversity import (
    PAIRS,
    first_of_each_class,
    nearest_neighbour_shares,
    within_class_distance,
    within_class_similarity,
)


class RelativeDiversity:
    """Diversity within classes in the three views of `quality.diversity`.

    Args:
      features: [N, d] of the real images.
      labels: [N] their classes, as the generator knows them.
      source: ImageSource of the same images.
      seed: of the order in which they are taken.
    """

    def __init__(
        self, features: np.ndarray, labels: np.ndarray, source: ImageSource, seed: int
    ) -> None:
        order = np.random.default_rng(seed).permutation(len(labels))
        self._features, self._labels = features[order], np.asarray(labels)[order]
        self._distances = within_class_distance(self._features, self._labels)
        shown = first_of_each_class(self._labels, 2 * PAIRS)
        self._similarities = within_class_similarity(
            source.fetch(order[shown]), self._labels[shown]
        )

    def __call__(
        self, images: np.ndarray, features: np.ndarray, labels: np.ndarray
    ) -> dict[str, float]:
        """Measures generated images.

        Args:
          images: uint8 [M, H, W, C], in random order of classes.
          features: [M, d].
          labels: [M] their classes.

        Returns:
          Dict from name to float, of all classes and of the worst: `diversity/` and
          `diversity/nearest_` as shares of the real images' distances, `ms_ssim/`. Classes whose
          real images are all the same are left out: nothing is left to lose.
        """
        distances = within_class_distance(features, labels)
        real = self._distances
        shares = {k: distances[k] / real[k] for k in distances if real.get(k)}
        nearest = nearest_neighbour_shares(self._features, self._labels, features, labels)
        return {
            **_mean_and_worst("diversity/", shares),
            **_mean_and_worst("diversity/nearest_", nearest),
            **self._similarity(within_class_similarity(images, labels)),
        }

    def _similarity(self, fake: Mapping[int, float]) -> dict[str, float]:
        real = self._similarities
        both = [k for k in sorted(fake) if real.get(k, 1.0) < 1.0]
        if not both:
            return {}
        # Some classes are alike in the real images too.
        worst = min(both, key=lambda k: (1.0 - fake[k]) / (1.0 - real[k]))
        return {
            "ms_ssim/generated": float(np.mean([fake[k] for k in both])),
            "ms_ssim/real": float(np.mean([real[k] for k in both])),
            "ms_ssim/worst_class_generated": fake[worst],
            "ms_ssim/worst_class_real": real[worst],
        }


def _mean_and_worst(prefix: str, shares: Mapping[int, float]) -> dict[str, float]:
    if not shares:
        return {}
    values = list(shares.values())
    return {f"{prefix}mean": float(np.mean(values)), f"{prefix}worst_class": min(values)}
