"""Image quality: all numbers of the measures of `measures`, under names that tell them apart.

A number is named by measure, extractor with its resize, and counts, such as
`fid/inception2015-tf1resize/train50k-10k`: numbers of different names cannot be compared.
"""

from collections.abc import Iterator, Sequence, Sized

import numpy as np

from robgan_tf.choices import MEASURES
from robgan_tf.data import evenly_spaced_rows
from robgan_tf.quality.image_features import ImageFeatures
from robgan_tf.quality.measure import SPLITS, Compared, Measure
from robgan_tf.quality.measures.fid import frechet_distance

# Sets compared image by image: their cost grows with the square.
MOST_COMPARED = 10_000


def quality(
    real: ImageFeatures,
    fake: ImageFeatures,
    extractor_name: str,
    real_name: str,
    splits: int = SPLITS,
) -> dict[str, float]:
    """Compares generated with real images by every measure.

    Args:
      real: ImageFeatures of the real images.
      fake: ImageFeatures of the generated ones, in random order of classes.
      extractor_name: of both.
      real_name: split of the real images, such as "train".
      splits: of the Inception Score; its name says how many if they are not 10.

    Returns:
      Dict from name to float.

    Raises:
      UserError: if there are too few images for a measure.
    """
    has_probabilities = fake.probabilities is not None
    check_counts(len(real), len(fake), has_probabilities, splits)
    real_rows, fake_rows = _compared(real.features), _compared(fake.features)
    compared = Compared(real, fake, real_rows, fake_rows, extractor_name, real_name, splits)
    return {
        f"{kind}/{measure.rest_of_name(compared)}": value
        for measure in _measures(has_probabilities)
        for kind, value in measure.compute(compared).items()
    }


def quality_by_class(
    real: ImageFeatures, fake: ImageFeatures, class_names: Sequence[str]
) -> dict[str, float]:
    """Fréchet distance of each class for which both sets have more images than dimensions.

    Args:
      real: ImageFeatures of the real images.
      fake: ImageFeatures of the generated ones.
      class_names: names of the classes.

    Returns:
      Dict from class name to distance; the classes with too few images are left out.
    """
    distances = {}
    for label, name in enumerate(class_names):
        chosen = [np.flatnonzero(features.labels == label) for features in (real, fake)]
        if min(map(len, chosen)) > real.features.shape[1]:
            distances[name] = frechet_distance(*real.moments(chosen[0]), *fake.moments(chosen[1]))
    return distances


def bias_warning(real: ImageFeatures, fake: Sized) -> str | None:
    """One line on why a Fréchet distance of so few images is too high; None for enough."""
    fewest, dimensions = min(len(real), len(fake)), real.features.shape[1]
    if fewest > dimensions:
        return None
    return (
        f"only {fewest} images for features of {dimensions} dimensions: their covariance is "
        "singular and the Fréchet distance is biased upwards; compare at equal counts only"
    )


def _compared(features: np.ndarray) -> np.ndarray:
    """At most `MOST_COMPARED` rows, evenly spaced."""
    return features[evenly_spaced_rows(len(features), MOST_COMPARED)]


def check_counts(real: int, fake: int, has_probabilities: bool, splits: int = SPLITS) -> None:
    """Refuses counts of real and generated images that are too small for a measure.

    Args:
      real: how many real images there are.
      fake: how many generated ones.
      has_probabilities: whether the features come with class probabilities.
      splits: of the Inception Score.

    Raises:
      UserError: if one is.
    """
    for measure in _measures(has_probabilities):
        measure.check_counts(real, fake, splits)


def _measures(has_probabilities: bool) -> Iterator[Measure]:
    """Every measure that has what it needs."""
    for name in MEASURES.names():
        measure = MEASURES.get(name)
        if has_probabilities or not measure.needs_probabilities:
            yield measure
